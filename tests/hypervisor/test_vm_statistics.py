"""libvirt's figures of a VM in our values, as QEMU gives them and with what it leaves out."""

from appliance.hypervisor.statistics import usage
from appliance.vm import VmId
from appliance.vm_usage import DiskUse, NicUse, Usage

ID = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
SAID = {
    "state.state": 1, "state.reason": 1, "cpu.time": 350000000, "cpu.user": 90000000, "cpu.system": 260000000,
    "balloon.current": 65536, "balloon.maximum": 65536, "balloon.last-update": 1795000000, "balloon.rss": 53924,
    "balloon.available": 60000, "balloon.unused": 10000, "balloon.usable": 40000,
    "net.count": 3, "net.0.name": "vnet3", "net.0.rx.bytes": 100, "net.0.rx.pkts": 1, "net.0.tx.bytes": 200,
    "net.2.name": "vnet4", "net.2.rx.bytes": 300, "net.2.tx.bytes": 0,
    "block.count": 2, "block.0.name": "sda", "block.0.path": "/dev/qrm/1", "block.0.rd.reqs": 1,
    "block.0.rd.bytes": 512, "block.0.wr.reqs": 2, "block.0.wr.bytes": 8192, "block.1.name": "sdb",
}  # fmt: skip


def test_everything_that_qemu_says():
    disks = (DiskUse("sda", 512, 8192, 1, 2),)
    nics = (NicUse(0, "vnet3", 100, 200), NicUse(2, "vnet4", 300, 0))
    assert usage(ID, 7, SAID) == Usage(ID, 7, 350000000, 53924 << 10, 20000 << 10, disks, nics)


def test_an_older_driver_in_the_vm_knows_nothing_of_caches():
    said = {name: value for name, value in SAID.items() if name != "balloon.usable"}
    assert usage(ID, 7, said).used == 50000 << 10


def test_a_vm_in_use_tells_what_can_be_told_at_once():
    """Without waiting, libvirt leaves out all that QEMU itself has to be asked for."""
    said = {name: value for name, value in SAID.items() if not name.startswith(("balloon", "block"))}
    found = usage(ID, 7, said)
    assert (found.cpu, found.memory, found.used, found.disks) == (350000000, None, None, None)
    assert len(found.nics) == 2


def test_one_that_is_off_has_nothing():
    assert usage(ID, None, {"state.state": 5, "block.count": 1}) == Usage(ID, None)


def test_a_host_that_knows_states_only():
    assert usage(ID, 1, {"state.state": 1}) == Usage(ID, 1)
