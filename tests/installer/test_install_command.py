"""``qrm install``: lists disks, wants a disk with data confirmed by its serial number, and installs."""

import json

import pytest
from click.testing import CliRunner

from appliance.errors import ApplianceError
from appliance.installer import act
from appliance.installer.command import install
from appliance.installer.disks import Disk

EMPTY = Disk("/dev/sdb", "Samsung", "S1", "0x1", 500 * 10**9, 512, "sata", ())
FULL = Disk("/dev/sdc", "Toshiba", "T1", "", 10**12, 512, "sata", ("sdc1: 1.0 TB, ext4 'photos'",))
USED = Disk("/dev/sda", "Stick", "U1", "", 32 * 10**9, 512, "usb", (), "the appliance runs from it")


@pytest.fixture
def installed(monkeypatch):
    done = []
    monkeypatch.setattr(act, "list_disks", lambda source: (EMPTY, FULL, USED))
    monkeypatch.setattr(act, "install", lambda source, slot, disk, tell, wanted: done.append((slot, disk)))
    return done


def run(*words):
    return CliRunner().invoke(install, ["--source", "/dev/sda", *words])


def test_disks_are_listed_with_what_they_hold(installed):
    found = run().output
    assert "photos" in found
    assert "the appliance runs from it" in found
    items = json.loads(run("--json").output)["items"]
    assert [each["identifier"] for each in items] == ["S1", "T1", "U1"]
    assert installed == []


@pytest.mark.parametrize("name", ["S1", "0x1"])
def test_an_empty_disk_is_named_once(installed, name):
    assert "the appliance is on Samsung" in run("--disk", name, "--slot", "B").output
    assert installed == [("B", EMPTY)]


@pytest.mark.parametrize("words", [[], ["--confirm", "t1"], ["--confirm", "yes"]])
def test_a_disk_with_data_wants_its_serial_number(installed, words):
    failed = run("--disk", "T1", *words).exception
    assert isinstance(failed, ApplianceError)
    assert "ext4 'photos'" in failed.message
    assert failed.hint == "--confirm T1"
    assert installed == []
    run("--disk", "T1", "--confirm", "T1")
    assert installed == [("A", FULL)]


def test_a_disk_that_nobody_has_and_one_that_two_have(installed, monkeypatch):
    assert run("--disk", "X").exception.code == "disk-unknown"
    monkeypatch.setattr(act, "list_disks", lambda source: (EMPTY, EMPTY))
    assert run("--disk", "S1").exception.code == "disk-ambiguous"
    assert installed == []
