"""What a host can do for a VM, and what is said where it cannot."""

from dataclasses import replace

import pytest

from appliance.errors import Conflict, Invalid
from appliance.machine import MacAddress
from appliance.vm import Bus, Disk, Firmware, Nic, Vm, VmId, VmState
from appliance.vm_host import Found, Host, Seen, check_ours, check_possible

HOST = Host("rack1", 8, 64 << 30, (11, 3, 0), True, frozenset({Bus.SATA}), frozenset({Firmware.BIOS}), False)
WEB = Vm(VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e"), "web1")
SEEN = Seen(WEB.id, "web1", VmState.RUNNING, True, 1, 1 << 30)


@pytest.mark.parametrize(
    ("changes", "lesser", "field"),
    [
        ({"disks": (Disk("sda", "/a", Bus.SATA), Disk("nvme0n1", "/b", Bus.NVME))}, {}, "disks.1.bus"),
        ({"firmware": Firmware.SECURE_BOOT}, {}, "firmware"),
        ({"tpm": True}, {}, "tpm"),
        ({"nics": (Nic(MacAddress("52:54:00:00:00:01"), "br0", 7),)}, {"libvirt": (9, 0, 0)}, "nics.0.vlan"),
        ({"cpus": 9}, {}, "cpus"),
        ({"memory": 65 << 30}, {}, "memory"),
    ],
)
def test_what_a_host_lacks_is_said_with_the_field(changes, lesser, field):
    with pytest.raises(Invalid) as caught:
        check_possible(replace(WEB, **changes), replace(HOST, **lesser))
    assert (caught.value.code, caught.value.field) == ("host-lacks", field)
    assert "rack1" in caught.value.message
    assert caught.value.hint


def test_what_it_has_is_taken():
    check_possible(WEB, HOST)
    tagged = Nic(MacAddress("52:54:00:00:00:01"), "br0", 7)
    check_possible(replace(WEB, nics=(tagged,), disks=(Disk("sda", "/a", Bus.SATA),), cpus=8), HOST)
    check_possible(replace(WEB, nics=(replace(tagged, vlan=0),)), replace(HOST, libvirt=(9, 0, 0)))


def test_only_what_runs_and_stays_can_need_a_restart():
    more = replace(WEB, cpus=2)
    assert Found(SEEN, more, WEB).needs_restart == ("cpus",)
    assert Found(SEEN, more, None).needs_restart == ()
    assert Found(SEEN, None, WEB).needs_restart == ()


def test_what_is_not_ours_is_left_alone():
    check_ours(SEEN)
    with pytest.raises(Conflict) as caught:
        check_ours(replace(SEEN, ours=False))
    assert caught.value.code == "vm-foreign"
