"""Header and manifest: what a foreign, damaged or newer file may say."""

import msgspec
import pytest

from appliance.backup.format import (
    FORMAT,
    MAGIC,
    Derivation,
    Header,
    Member,
    decode_header,
    decode_manifest,
    encode_header,
    header_length,
)
from appliance.errors import ApplianceError

GOOD = Header(1, "0.1.0", 12, 1.0, "here", "ab" * 32, "chacha20-poly1305", Derivation("00" * 16))
MEMBER = {"name": "config.toml", "size": 1, "sha256": "0" * 64}


def changed(**values):
    return msgspec.json.encode({**msgspec.to_builtins(GOOD), **values})


def test_a_header_comes_out_as_it_went_in():
    start = encode_header(GOOD)
    length = header_length(start[:12], "it")
    assert decode_header(start[12 : 12 + length], "it") == GOOD


@pytest.mark.parametrize("start", [b"", b"QRMSTATE", b"PK\x03\x04" + b"\0" * 8, MAGIC + b"\xff" * 4, MAGIC + b"\0" * 4])
def test_a_foreign_file_is_told(start):
    with pytest.raises(ApplianceError) as raised:
        header_length(start, "it")
    assert raised.value.code == "backup-foreign"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (changed(format=FORMAT + 1, cipher="of the future"), "backup-newer"),
        (changed(format="one"), "backup-damaged"),
        (changed(cipher="none"), "backup-damaged"),
        (changed(authority="short"), "backup-damaged"),
        (changed(derivation={"salt": "00" * 16, "memory_kib": 1 << 30}), "backup-damaged"),
        (changed(derivation={"salt": "00" * 16, "passes": 10**9}), "backup-damaged"),
        (changed(derivation={"salt": "no hex"}), "backup-damaged"),
        (b"\xff\xfe", "backup-damaged"),
        (b"[]", "backup-damaged"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(text, code):
    with pytest.raises(ApplianceError) as raised:
        decode_header(text, "it")
    assert raised.value.code == code


@pytest.mark.parametrize(
    "name",
    ["../etc/passwd", "/etc/passwd", "state/../../x.pem", "state/lock", "state/images/1/2", "state/images/x", ""],
)
def test_a_member_has_a_name_of_ours_only(name):
    with pytest.raises(ValueError, match="no backup of ours"):
        Member(name, 1, "0" * 64)


@pytest.mark.parametrize("members", [[], [MEMBER], [MEMBER, MEMBER], [{**MEMBER, "name": "/etc/shadow"}]])
def test_a_manifest_that_lacks_something_is_refused(members):
    text = msgspec.json.encode({"config_path": "/c", "state_dir": "/s", "members": members, "uploads": []})
    with pytest.raises(ApplianceError) as raised:
        decode_manifest(text, "it")
    assert raised.value.code == "backup-damaged"
