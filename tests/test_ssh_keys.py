"""What is taken for a public SSH key that other computers are given."""

import pytest

from appliance.errors import Invalid
from appliance.ssh_keys import check_lines, fingerprint

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuTLVbhy3jUWqeSsBzZxTHfDGDCvGhsJZbgbCmCDyGE admin@laptop"


def test_our_sshd_need_not_know_what_other_computers_are_given():
    assert check_lines(["ssh-dss AAAA old ", ED25519]) == ("ssh-dss AAAA old", ED25519)


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "x AAAA", f"{ED25519}\n{ED25519}", f"restrict {ED25519}"])
def test_what_is_no_key_in_one_line_is_refused(line):
    with pytest.raises(Invalid) as caught:
        check_lines([ED25519, line])
    assert (caught.value.code, caught.value.field) == ("ssh-key-invalid", "ssh_keys")


def test_a_private_key_is_not_shown_to_anybody():
    with pytest.raises(Invalid) as caught:
        check_lines(["-----BEGIN OPENSSH PRIVATE KEY-----"])
    assert caught.value.message == "a private key is not an SSH public key"


def test_a_fingerprint_is_written_as_ssh_writes_it():
    assert fingerprint(b"") == "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
