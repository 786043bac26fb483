"""What RAUC says of its slots."""

import json

import pytest

from appliance.errors import ApplianceError
from appliance.updates.slots import booted_letter, booted_of, other_of, parse_status

STATUS = {
    "compatible": "qrm-appliance-amd64",
    "variant": "",
    "booted": "A",
    "boot_primary": "rootfs.1",
    "slots": [
        {
            "rootfs.1": {
                "class": "rootfs", "device": "/dev/disk/qrm/root-b", "type": "ext4", "bootname": "B",
                "state": "inactive", "parent": None, "mountpoint": None, "boot_status": "good",
                "slot_status": {
                    "bundle": {"compatible": "qrm-appliance-amd64", "version": "0.5.0"},
                    "installed": {"timestamp": "2026-11-22T00:00:00Z", "count": 1}, "status": "ok",
                },
            }
        },
        {
            "rootfs.0": {
                "class": "rootfs", "device": "/dev/disk/qrm/root-a", "type": "ext4", "bootname": "A",
                "state": "booted", "parent": None, "mountpoint": "/", "boot_status": "bad", "slot_status": {},
            }
        },
        {"other.0": {"class": "other", "bootname": None, "state": "inactive"}},
    ],
}  # fmt: skip


def test_slots_by_letter() -> None:
    a, b = parse_status(json.dumps(STATUS))
    assert (a.letter, a.booted, a.first, a.good, a.version) == ("A", True, False, False, "")
    assert (b.letter, b.booted, b.first, b.good, b.version) == ("B", False, True, True, "0.5.0")
    assert b.installed == "2026-11-22T00:00:00Z"
    assert (booted_of([a, b]), other_of([a, b])) == (a, b)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"slots": 3}'])
def test_what_is_no_status_is_said_so(text: str) -> None:
    with pytest.raises(ApplianceError, match="cannot be read"):
        parse_status(text)


def test_without_a_booted_slot_or_another_one_it_says_so() -> None:
    a, b = parse_status(json.dumps(STATUS))
    with pytest.raises(ApplianceError, match="which slot was started"):
        booted_of([b])
    with pytest.raises(ApplianceError, match="one slot only"):
        other_of([a])


def test_the_kernel_knows_the_letter() -> None:
    assert booted_letter("root=PARTUUID=1 rauc.slot=B console=tty0\n") == "B"
    assert booted_letter("root=/dev/sda1 quiet") == ""
