"""What a VM's definition may be: every field that is wrong is named, with what would be right."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Invalid
from appliance.machine import MacAddress
from appliance.vm import Autostart, Bus, Cdrom, Disk, Nic, Vm, VmId
from appliance.vm_check import LEAST_MEMORY, MOST_CDROMS, MOST_CPUS, MOST_DISKS, MOST_MEMORY, MOST_NICS, checked, notes

ID = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
MAC = MacAddress("52:54:00:12:34:56")
DISK, NIC = Disk("sda", "/srv/web1.raw", serial="0123456789abcdef"), Nic(MAC, "br0", 7)
WEB = Vm(ID, "web1", 2, 1 << 30, (DISK,), (Cdrom("sdb"),), (NIC,), ("sda", MAC, "sdb"))


def test_a_good_one_stays_as_it_is():
    assert checked(WEB) == WEB
    assert checked(Vm(ID, "empty")) == Vm(ID, "empty")
    least = replace(WEB, cpus=MOST_CPUS, memory=LEAST_MEMORY, autostart=Autostart(9999, 3600.0))
    assert checked(least) == least
    assert checked(replace(WEB, memory=MOST_MEMORY)).memory == MOST_MEMORY


def test_it_is_brought_into_its_normal_form():
    odd = replace(
        WEB,
        id=VmId(ID.upper()),
        disks=(Disk("vdb", "/b", Bus.VIRTIO_BLK), DISK),
        cdroms=(Cdrom("sdd"), Cdrom("sdb")),
        nics=(replace(NIC, mac=MacAddress("52-54-00-AB-CD-EF")),),
        boot=("52:54:00:AB:CD:EF",),
        notes="one\r\ntwo\rthree",
    )
    found = checked(odd)
    assert found.id == ID
    assert [each.target for each in found.drives] == ["sda", "vdb", "sdb", "sdd"]
    assert found.nics[0].mac == found.boot[0] == "52:54:00:ab:cd:ef"
    assert found.notes == "one\ntwo\nthree"
    assert checked(found) == found


def disks(**changes):
    return {"disks": (replace(DISK, **changes),)}


def nics(**changes):
    return {"nics": (replace(NIC, **changes),), "boot": ("sda",)}


WRONG = [
    ({"id": "web1"}, "vm-id", "id"),
    ({"id": "00000000-0000-0000-0000-000000000000"}, "vm-id", "id"),
    ({"id": "ffffffff-ffff-ffff-ffff-ffffffffffff"}, "vm-id", "id"),
    ({"id": f"{{{ID}}}"}, "vm-id", "id"),
    ({"id": ID.replace("-", "")}, "vm-id", "id"),
    ({"name": ""}, "name-invalid", "name"),
    ({"name": "a b"}, "name-invalid", "name"),
    ({"name": "../a"}, "name-invalid", "name"),
    ({"name": "web1\n"}, "name-invalid", "name"),
    ({"name": "localhost"}, "name-reserved", "name"),
    ({"cpus": 0}, "vm-cpus", "cpus"),
    ({"cpus": MOST_CPUS + 1}, "vm-cpus", "cpus"),
    ({"memory": 0}, "vm-memory", "memory"),
    ({"memory": (1 << 30) + 1}, "vm-memory", "memory"),
    ({"memory": MOST_MEMORY + (1 << 20)}, "vm-memory", "memory"),
    ({"notes": "a\0"}, "vm-notes", "notes"),
    ({"notes": "a\x1b[2J"}, "vm-notes", "notes"),
    ({"notes": "\ud800"}, "vm-notes", "notes"),
    ({"notes": "a" * 8193}, "vm-notes", "notes"),
    ({"autostart": Autostart(-1)}, "vm-autostart", "autostart.order"),
    ({"autostart": Autostart(0, -1.0)}, "vm-autostart", "autostart.delay"),
    ({"autostart": Autostart(0, float("nan"))}, "vm-autostart", "autostart.delay"),
    ({"autostart": Autostart(0, float("inf"))}, "vm-autostart", "autostart.delay"),
    (disks(target="sd1"), "vm-drives", "disks.0.target"),
    (disks(target="vda"), "vm-drives", "disks.0.target"),
    (disks(bus=Bus.VIRTIO_BLK), "vm-drives", "disks.0.target"),
    (disks(target="sdb"), "vm-drives", "disks"),
    (disks(path=""), "vm-path", "disks.0.path"),
    (disks(path="a.raw"), "vm-path", "disks.0.path"),
    (disks(path="/srv/../etc/shadow"), "vm-path", "disks.0.path"),
    (disks(path="/srv//a"), "vm-path", "disks.0.path"),
    (disks(path="/srv/a\nb"), "vm-path", "disks.0.path"),
    (disks(path="/"), "vm-path", "disks.0.path"),
    (disks(path="/" + "a" * 1024), "vm-path", "disks.0.path"),
    (disks(serial="a" * 21), "vm-serial", "disks.0.serial"),
    (disks(serial="a,b"), "vm-serial", "disks.0.serial"),
    ({"disks": (DISK, replace(DISK, target="sdc"))}, "vm-drives", "disks"),
    ({"disks": (DISK,) * (MOST_DISKS + 1)}, "vm-drives", "disks"),
    ({"cdroms": (Cdrom("sdc"),) * (MOST_CDROMS + 1)}, "vm-drives", "cdroms"),
    ({"cdroms": (Cdrom("vda"),)}, "vm-drives", "cdroms.0.target"),
    ({"cdroms": (Cdrom("sdb", "relative.iso"),)}, "vm-path", "cdroms.0.path"),
    (nics(mac="52:54:00"), "mac-invalid", "mac"),
    (nics(mac="01:00:5e:00:00:01"), "mac-invalid", "mac"),
    (nics(bridge=""), "vm-bridge", "nics.0.bridge"),
    (nics(bridge="a" * 16), "vm-bridge", "nics.0.bridge"),
    (nics(bridge="br0'/>"), "vm-bridge", "nics.0.bridge"),
    (nics(vlan=-1), "vm-vlan", "nics.0.vlan"),
    (nics(vlan=4095), "vm-vlan", "nics.0.vlan"),
    ({"nics": (NIC, NIC)}, "vm-nics", "nics"),
    ({"nics": (NIC,) * (MOST_NICS + 1)}, "vm-nics", "nics"),
    ({"boot": ("sda", "sda")}, "vm-boot", "boot"),
    ({"boot": ("sdx",)}, "vm-boot", "boot"),
    ({"boot": ()}, "vm-boot", "boot"),
]


@pytest.mark.parametrize(("changes", "code", "field"), WRONG, ids=lambda value: None)
def test_what_is_wrong_is_refused_with_the_field(changes, code, field):
    with pytest.raises(Invalid) as caught:
        checked(replace(WEB, **changes))
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.hint
    assert len(caught.value.message) < 300


def test_two_readers_of_one_disk_are_no_harm():
    golden = replace(DISK, read_only=True)
    checked(replace(WEB, disks=(golden, replace(golden, target="sdc"))))


@given(st.text())
def test_any_notes_are_taken_or_refused(text):
    with contextlib.suppress(Invalid):
        kept = notes(text)
        assert notes(kept) == kept
        assert "\r" not in kept
