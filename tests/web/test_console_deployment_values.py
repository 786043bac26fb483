"""The form for a deployment, as values."""

from typing import Any

import pytest
from console_seed import KEY, disk

from appliance.catalogue import Image, ImageId
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.web.console.deployment_values import fits, requirements, typed, wish

IMAGE = Image(ImageId(1), "debian-13", "", "raw", 2 << 30, 2 << 30, "aa", 512, 0.0)
GOOD = {"name": "web-1", "image": "debian-13", "ssh_keys": KEY}


def machine(name: str, disks: list[dict[str, Any]], **values: Any) -> Machine:
    inventory = {"cpu": {"threads": 4}, "memory": {"bytes": 4 << 30}, "disks": disks}
    macs = (parse_mac("52:54:00:00:00:01"),)
    kept: dict[str, Any] = {"maintenance": False, "state": State.IDLE, "firmware": "uefi", "inventory": inventory}
    return Machine(id=MachineId(name), name=name, macs=macs, created=0.0, **(kept | values))


def test_a_complete_form_is_a_wish() -> None:
    form = typed({**GOOD, "cpus": "4", "memory": "1.5", "disk_size": "20", "firmware": "uefi", "wipe": "yes"})
    made = wish(form)
    assert not form.errors
    assert made.requirements.cpus == 4
    assert made.requirements.memory_bytes == 3 << 29
    assert made.requirements.disk_bytes == 20 * 10**9
    assert made.requirements.firmware == "uefi"
    assert (made.disk, made.wipe_on_release, made.ssh_keys) == (None, True, (KEY,))
    assert made.wipe_method == "automatic"
    assert wish(typed({**GOOD, "wipe_method": "discard"})).wipe_method == "discard"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    form = typed({"name": "Web_1", "cpus": "many", "memory": "-1", "disk_rule": "named", "ssh_keys": "hello"})
    wish(form)
    assert set(form.errors) == {"name", "image", "cpus", "memory", "disk", "ssh_keys"}


@pytest.mark.parametrize("text", ["0", "-4", "1.5", "nan", "inf", "1e99", "4 CPUs", "٤x"])
def test_numbers_that_ask_for_nothing_sensible(text: str) -> None:
    form = typed({"cpus": text})
    assert requirements(form).cpus is None
    assert "cpus" in form.errors


def test_a_disk_is_only_named_where_the_rule_says_so() -> None:
    assert wish(typed({**GOOD, "disk": "S1", "disk_rule": "empty"})).disk is None
    assert wish(typed({**GOOD, "disk": "S1", "disk_rule": "named"})).disk == "S1"


def test_a_private_key_is_not_taken() -> None:
    form = typed({**GOOD, "ssh_keys": "-----BEGIN OPENSSH PRIVATE KEY-----"})
    wish(form)
    assert "private key" in form.errors["ssh_keys"].message


def test_each_machine_says_why_it_would_not_do() -> None:
    there = [
        machine("full", [disk("sda", "S1", 10**11, "ext4 'data'")]),
        machine("good", [disk("sda", "S2", 10**11)]),
        machine("kept", [disk("sda", "S3", 10**11)], maintenance=True),
        machine("small", [disk("sda", "S4", 10**8)]),
    ]
    found = {fit.machine.name: fit for fit in fits(there, typed(GOOD), IMAGE, frozenset())}
    assert next(iter(found)) == "good"
    assert found["good"].objection == ""
    assert "S2" in found["good"].disk
    assert "ext4 'data'" in found["full"].objection
    assert "maintenance" in found["kept"].objection
    assert "the image needs" in found["small"].objection


def test_a_disk_with_content_fits_when_it_is_named() -> None:
    there = [machine("full", [disk("sda", "S1", 10**11, "ext4 'data'")])]
    named = typed({**GOOD, "disk_rule": "named", "disk": "S1"})
    assert fits(there, named, IMAGE, frozenset())[0].objection == ""


@pytest.mark.parametrize(
    ("field", "text", "size"),
    [
        ("memory", "64", 64 << 30),
        ("memory", "512 MiB", 512 << 20),
        ("disk_size", "500", 500 * 10**9),
        ("disk_size", "1.5TB", 15 * 10**11),
        ("disk_size", "0,5 TiB", 1 << 39),
    ],
)
def test_sizes_are_read_as_qrm_reads_them(field: str, text: str, size: int) -> None:
    form = typed({**GOOD, field: text})
    asked = requirements(form)
    assert {"memory": asked.memory_bytes, "disk_size": asked.disk_bytes}[field] == size
    assert form.errors == {}


def test_what_is_no_size_is_said_beside_its_field() -> None:
    form = typed({**GOOD, "memory": "much", "disk_size": "5 parsecs", "cpus": "1.5"})
    requirements(form)
    assert {name: error.code for name, error in form.errors.items()} == {
        "memory": "size-invalid", "disk_size": "size-invalid", "cpus": "number-invalid",
    }  # fmt: skip
    assert "1.5TB" in form.errors["disk_size"].message
