"""What an export is called, who proves what with which secret, and what is no export."""

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Invalid
from appliance.export import (
    ALPHABET,
    NOISE,
    SECRET_LENGTH,
    Export,
    ExportId,
    ExportKind,
    authority,
    chap_secret,
    check_address,
    check_export,
    check_node,
    check_secret,
    check_target,
    check_user,
    file_system_id,
    id_of,
    initiator_name,
    nfs_options,
    serial_number,
    target_name,
)
from appliance.volume import VolumeId

ID, OTHER = ExportId("0123456789abcdef"), ExportId("fedcba9876543210")
VOLUME = VolumeId("00112233aabbccdd")
ADDRESS = "192.0.2.17"
NAME = "iqn.2026-11.test.lab:machine-web1"


def refused(check, *values):
    with pytest.raises(Invalid) as caught:
        check(*values)
    return caught.value.code


def test_an_export_is_for_one_machine():
    check_export(Export(ID, ExportKind.NFS, VOLUME, ADDRESS))
    check_export(Export(ID, ExportKind.ISCSI, VOLUME, ADDRESS, NAME))
    assert refused(check_export, Export(ID, ExportKind.NFS, VOLUME, ADDRESS, NAME)) == "initiator-name"
    assert refused(check_export, Export(ID, ExportKind.ISCSI, VOLUME, ADDRESS)) == "initiator-name"
    assert refused(check_export, Export(ExportId("x"), ExportKind.NFS, VOLUME, ADDRESS)) == "export-id"
    assert refused(check_export, Export(ID, ExportKind.NFS, VolumeId("../x"), ADDRESS)) == "volume-id"


@pytest.mark.parametrize(
    "text",
    ["", "web1", "*", "192.0.2.0/24", "192.0.2.1,rw", "192.0.2.1 ", "192.0.2.1\n", "0.0.0.0", "255.255.255.255",
     "224.0.0.1", "127.0.0.1", "fe80::1", "192.0.2.01", "192.0.2", "@group", "192.0.2.*", "192.0.2.1(rw)"],
)  # fmt: skip
def test_nothing_that_stands_for_many_is_an_address(text):
    assert refused(check_address, text, "address") == "export-address"


def test_names_are_those_of_the_site_in_reverse():
    assert authority("lab.test") == "iqn.2026-11.test.lab"
    assert target_name("lab.test", ID) == f"iqn.2026-11.test.lab:{ID}"
    assert initiator_name("lab.test", "4F2A") == "iqn.2026-11.test.lab:machine-4f2a"
    assert initiator_name("lab", "4f2a") == "iqn.2026-11.internal.lab:machine-4f2a"
    assert id_of(target_name("a.very-long.example.org", ID)) == ID
    for bad in ("", "lab..test", ".test", "Lab.test", "lab.test:x", "lab test", "-lab", "a." * 101 + "a"):
        assert refused(authority, bad) == "export-domain"


@pytest.mark.parametrize(
    "name",
    [f"iqn.2001-04.com.example:storage:{ID}", f"iqn.2026-11.test.lab:x{ID}", f"iqn.2026-11.test.lab:{ID}0",
     f"iqn.2026-11.test.lab:{ID}\n", "iqn.2026-11.test.lab", f"IQN.2026-11.test.lab:{ID}", "",
     f"iqn.2026-11.lab:{ID}"],
)  # fmt: skip
def test_what_others_have_named_is_not_ours(name):
    assert id_of(name) is None
    assert refused(check_target, name, ID) == "target-name"


def test_a_target_belongs_to_one_export():
    name = target_name("lab.test", ID)
    assert check_target(name, ID) == name
    assert refused(check_target, name, OTHER) == "target-name"


@pytest.mark.parametrize(
    "name",
    ["iqn.2026-11.test.lab:web1", "iqn.2001-04.com.example", "iqn.1993-08.org.debian:01:4c1a2b", "eui.02004567a425678d",
     "naa.52004567ba64678d"],
)  # fmt: skip
def test_names_of_initiators(name):
    assert check_node(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "web1", "iqn.2026-13.test.lab:x", "iqn.2026-11.test.lab:Web1", "iqn.2026-11.test.lab:a/../b", "eui.12",
     "iqn.2026-11.test.lab:a b", "iqn.2026-11.test.lab:" + "a" * 203, "naa.12", "iqn.2026-11.test.lab:x\n", "../x",
     "iqn.2026-11.lab:x", "naa.62004567ba64678d0123456789abcdef", "iqn.2026-11.test..lab:x",
     "iqn.2026-11.test.lab:a_b"],
)  # fmt: skip
def test_what_is_no_name_of_an_initiator(name):
    assert refused(check_node, name) == "initiator-name"


def test_a_secret_has_the_bits_that_the_rfc_asks_for():
    assert len(set(ALPHABET)) == len(ALPHABET)
    assert SECRET_LENGTH * math.log2(len(ALPHABET)) >= 96
    assert (256**NOISE) / len(ALPHABET) ** SECRET_LENGTH > 2**100  # no character is likelier than another
    made = {chap_secret(os.urandom(NOISE)) for _ in range(1000)}
    assert len(made) == 1000
    assert set("".join(made)) == set(ALPHABET)
    with pytest.raises(ValueError, match="at least 32"):
        chap_secret(b"x" * (NOISE - 1))


@given(st.binary(min_size=NOISE, max_size=NOISE))
def test_every_secret_is_one_that_both_ends_take(noise):
    secret = chap_secret(noise)
    assert check_secret(secret) == secret
    assert 12 <= len(secret) <= 16


@pytest.mark.parametrize("secret", ["", "short", "x" * 17, "NULLNULLNULL", "0x1234567890ab", "with blank 12", "ü" * 12])
def test_a_secret_that_is_none_is_not_repeated(secret):
    with pytest.raises(Invalid) as caught:
        check_secret(secret)
    assert caught.value.code == "chap-secret"
    assert not secret or secret not in f"{caught.value} {caught.value.hint}"


def test_names_for_chap():
    assert check_user(ID) == ID
    for bad in ("", "NULL", "a b", "-a", "x" * 64, "a\n"):
        assert refused(check_user, bad) == "chap-user"


def test_what_follows_from_an_id_is_always_the_same_and_never_that_of_another():
    assert file_system_id(ID) == "cec9619a-b33c-5b4c-a7da-55f2397130be"  # machines that run keep handles with it
    found = {file_system_id(ID), file_system_id(OTHER), serial_number(VolumeId(ID)), serial_number(VolumeId(OTHER))}
    assert len(found) == 4


def test_options_say_for_whom_and_never_export_an_empty_directory():
    assert {"rw", "no_root_squash", "mountpoint", "sec=sys", f"fsid={file_system_id(ID)}"} <= set(
        nfs_options(ID, False)
    )
    assert "ro" in nfs_options(ID, True)
    assert "rw" not in nfs_options(ID, True)
