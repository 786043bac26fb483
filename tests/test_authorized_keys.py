"""Public SSH keys: what ssh-keygen makes is taken, anything else is not, and nothing gets past that sshd would read."""

import base64
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.authorized_keys import LONGEST_COMMENT, PublicKey, parse, parse_all
from appliance.errors import Invalid
from appliance.ssh_keys import MOST_KEYS

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuTLVbhy3jUWqeSsBzZxTHfDGDCvGhsJZbgbCmCDyGE admin@laptop"
FINGERPRINT = "SHA256:BdWo7RlwSPz2TdW98BrLAcTWyJHn6F+JnCHFzThwFaA"
MADE = {
    "ssh-ed25519": ("ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa", "-b", "256"),
    "ecdsa-sha2-nistp384": ("ecdsa", "-b", "384"),
    "ecdsa-sha2-nistp521": ("ecdsa", "-b", "521"),
    "ssh-rsa": ("rsa", "-b", "2048"),
}


def ssh_string(value):
    return len(value).to_bytes(4) + value


def encoded(*parts):
    return base64.b64encode(b"".join(map(ssh_string, parts))).decode()


def refused(line):
    with pytest.raises(Invalid) as caught:
        parse(line, "keys")
    assert caught.value.field == "keys"
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(("kind", "how"), MADE.items())
def test_what_ssh_keygen_makes_is_taken_and_named_as_it_names_it(tmp_path, kind, how):
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", *how, "-N", "", "-C", "a b", "-f", path], check=True)
    public = path.with_suffix(".pub")
    key = parse(public.read_text(), "keys")
    said = subprocess.run(["ssh-keygen", "-l", "-f", public], check=True, capture_output=True, text=True).stdout
    assert key.fingerprint == said.split()[1]
    assert (key.kind, key.comment, key.line) == (kind, "a b", public.read_text().strip())
    assert refused(path.read_text()).message == "a private key is not an SSH public key"


def test_keys_of_tokens():
    point = b"\x04" + b"p" * 64
    for line in (
        f"sk-ssh-ed25519@openssh.com {encoded(b'sk-ssh-ed25519@openssh.com', b'k' * 32, b'ssh:')} me",
        "sk-ecdsa-sha2-nistp256@openssh.com "
        + encoded(b"sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", point, b"ssh:"),
    ):
        assert parse(line, "keys").line == line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "ssh-ed25519",
        "ssh-ed25519 !!!",
        "hello there",
        ED25519[:60],
        ED25519 + "\n" + ED25519,
        ED25519.replace(" admin", "\x0badmin\x0b"),
        f"restrict {ED25519}",
        f'command="/bin/sh" {ED25519}',
        f'from="*",environment="A=b c" {ED25519}',
        f"cert-authority {ED25519}",
        f"# {ED25519}",
        f"192.0.2.1 {ED25519}",
        ED25519 + "\x1b[2J",
        ED25519 + "\u202e",
        f"ssh-ed25519 {ED25519.split()[1]} {'x' * (LONGEST_COMMENT + 1)}",
        ED25519.replace("ssh-ed25519", "ssh-rsa"),
        f"ssh-ed25519 {encoded(b'ssh-rsa', b'k' * 32)}",
        f"ssh-ed25519 {encoded(b'ssh-ed25519', b'k' * 31)}",
        f"ssh-ed25519 {encoded(b'ssh-ed25519', b'k' * 32, b'')}",
        f"ssh-ed25519 {encoded()}",
        f"ecdsa-sha2-nistp256 {encoded(b'ecdsa-sha2-nistp256', b'nistp384', b'4' * 97)}",
        f"ecdsa-sha2-nistp256 {encoded(b'ecdsa-sha2-nistp256', b'nistp256', b'p' * 65)}",
        f"ssh-rsa {encoded(b'ssh-rsa', b'')}",
        f"ssh-rsa {encoded(b'ssh-rsa', b'', b'')}",
        f"ssh-rsa {encoded(b'ssh-rsa', b'3', bytes([0xFF]) * 256)}",
        f"ssh-rsa {encoded(b'ssh-rsa', bytes([1]), bytes([0x7F]) * 256)}",
        f"ssh-rsa {encoded(b'ssh-rsa', bytes([3]), bytes([0x7F]) * 2049)}",
        f"ssh-ed25519 {'A' * 9000}",
    ],
)
def test_what_is_no_key_is_refused(line):
    assert refused(line).code == "ssh-key-invalid"


def test_kinds_and_lengths_that_are_not_safe_any_more():
    assert refused(f"ssh-dss {encoded(b'ssh-dss', b'a', b'b', b'c', b'd')} old").code == "ssh-key-unknown"
    assert refused(ED25519.replace("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com")).code == "ssh-key-unknown"
    weak = f"ssh-rsa {encoded(b'ssh-rsa', bytes([1, 0, 1]), bytes([0x7F]) * 128)}"
    assert refused(weak).message == "an RSA key of 1023 bits is too weak"
    right = bytes([0]) + bytes([0xFF]) * 256
    assert parse(f"ssh-rsa {encoded(b'ssh-rsa', bytes([1, 0, 1]), right)}", "keys").kind == "ssh-rsa"


def test_lists():
    other = f"ssh-ed25519 {encoded(b'ssh-ed25519', b'k' * 32)}"
    assert [key.comment for key in parse_all([ED25519, other], "keys")] == ["admin@laptop", ""]
    with pytest.raises(Invalid) as caught:
        parse_all([ED25519, other, ED25519.rsplit(" ", 1)[0]], "keys")
    assert (caught.value.code, FINGERPRINT in caught.value.message) == ("ssh-key-twice", True)
    with pytest.raises(Invalid) as caught:
        parse_all([other] * (MOST_KEYS + 1), "keys")
    assert caught.value.code == "ssh-keys-many"


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PARTS = st.lists(
    st.one_of(st.binary(max_size=70), st.sampled_from([b"ssh-ed25519", b"ssh-rsa", b"k" * 32])), max_size=5
)


@given(st.sampled_from(["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ssh-dss"]), PARTS, WORDS)
@example("ssh-ed25519", [b"ssh-ed25519", b"k" * 32], "me\nssh-ed25519 AAAA")
@example("ssh-ed25519", [b"ssh-ed25519", b"k" * 32], "me")
def test_whatever_is_given_comes_out_as_one_harmless_line_or_not_at_all(kind, parts, comment):
    key, error = attempt(f"{kind} {encoded(*parts)} {comment}")
    if key is None:
        assert error.code.startswith("ssh-key-")
        return
    assert parse(key.line, "keys") == key
    assert len(key.line.splitlines()) == 1
    assert key.line.isprintable()
    assert key.line.startswith("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI")


@given(WORDS)
def test_any_text_is_a_key_or_refused_in_words(text):
    key, error = attempt(text)
    assert isinstance(key, PublicKey) or "\n" not in error.message


def attempt(line):
    """The key, or what is said against it."""
    try:
        return parse(line, "keys"), None
    except Invalid as error:
        return None, error
