"""VMs and their hosts by ``qrm``."""

import pytest
from cli_world import Cli
from click import BadParameter
from storage_bench import memory_pool
from vm_bench import HostsOfMemory

from appliance.cli.vm_options import AutostartWords, DiskWords, Memory, NicWords, given
from appliance.reconcile.jobs import JobKind
from appliance.task import VMS

GIB = 1 << 30


@pytest.fixture
async def hosting(qrm: Cli) -> Cli:
    """With the host ``one`` and the pool ``fast``, both of memory."""
    vms = qrm.world.services.vms
    assert isinstance(vms, HostsOfMemory)
    qrm.kinds.update({kind: JobKind(vms.parts.jobs.run, resumes=True, waits=True) for kind in VMS})
    await memory_pool(qrm.world.services)
    await vms.host()
    return qrm


async def test_a_vm_is_made_and_shown(hosting: Cli) -> None:
    words = ["--cpus", "2", "--memory", "512", "--nic", "br0,vlan=7", "--cdrom", "-", "--autostart", "3,30", "--start"]
    made = await hosting.run("vms", "create", "web1", "--disk", "20G,bus=virtio-blk", *words, "--wait")
    assert "web1 is made" in made.out
    shown = (await hosting.run("vms")).out
    assert "512 MiB" in shown
    assert "running" in shown
    vm = (await hosting.run("vms", "show", "web1", "--json")).json
    disk, nic = vm["definition"]["disks"][0], vm["definition"]["nics"][0]
    assert (disk["target"], nic["bridge"], nic["vlan"]) == ("vda", "br0", 7)
    assert vm["definition"]["autostart"] == {"order": 3, "delay": 30.0}
    said = (await hosting.run("vms", "show", "web1")).out
    assert "vda: web1-vda (virtio-blk)" in said
    assert f"{nic['mac']}: br0 VLAN 7 (virtio)" in said


async def test_a_vm_is_changed_and_ordered(hosting: Cli) -> None:
    await hosting.run("vms", "create", "web1", "--memory", "512", "--nic", "br0", "--start", "--wait")
    changed = await hosting.run("vms", "set", "web1", "--memory", "1G", "--no-nics", "--autostart", "2")
    assert "web1 is changed; a restart brings: memory, nics, boot" in changed.out
    assert "web1 is paused" in (await hosting.run("vms", "pause", "web1")).out
    assert "vm-state" in (await hosting.run("vms", "set", "web1", "--name", "web2", code=4)).err
    assert "web1 goes on" in (await hosting.run("vms", "resume", "web1")).out
    assert "web1 is off" in (await hosting.run("vms", "shutdown", "web1", "--wait")).out


async def test_a_vm_is_given_a_disk_and_deleted_with_it(hosting: Cli) -> None:
    await hosting.run("vms", "create", "web1", "--memory", "512", "--disk", "20G", "--wait")
    assert "web1 has one more disk" in (await hosting.run("vms", "add-disk", "web1", "1G,pool=fast", "--wait")).out
    asked = await hosting.run("vms", "delete", "web1", "--disks", code=1)
    assert "web1-sda (20.0 GiB), web1-sdb (1.0 GiB)" in asked.err
    assert "confirmation-needed" in asked.err
    assert "web1 is deleted" in (await hosting.run("vms", "delete", "web1", "--disks", "--yes", "--wait")).out
    assert "No VM yet" in (await hosting.run("vms")).out
    assert (await hosting.run("volumes", "list", "--json")).json["items"] == []


async def test_hosts_are_listed_shown_and_removed(hosting: Cli) -> None:
    assert "fine" in (await hosting.run("hosts")).out
    assert "virtio-scsi" in (await hosting.run("hosts", "show", "one")).out
    refused = await hosting.run("hosts", "add", "two", "xen:///", code=4)
    assert "host-address" in refused.err
    assert "one is removed" in (await hosting.run("hosts", "remove", "one")).out
    assert "qrm hosts add" in (await hosting.run("vms")).out
    assert "vm-unknown" in (await hosting.run("vms", "start", "web1", code=4)).err


def test_disks_and_cards_are_words_with_commas() -> None:
    disk, nic = DiskWords(), NicWords()
    assert disk.convert("20G,pool=fast", None, None) == {"size": 20 * GIB, "pool": "fast"}
    assert disk.convert("-,pool=fast,volume=data", None, None) == {"size": 0, "pool": "fast", "volume": "data"}
    assert nic.convert("br0,vlan=7,mac=52:54:00:12:34:56", None, None) == {
        "bridge": "br0", "vlan": 7, "mac": "52:54:00:12:34:56",
    }  # fmt: skip
    for kind, text in [
        (disk, "x"), (disk, "1G,bus=ide"), (disk, "1G,odd=1"), (disk, "1G,pool"), (nic, "br0,vlan=x"),
        (nic, "br0,model=ne2000"), (AutostartWords(), "soon"), (Memory(), "much"),
    ]:  # fmt: skip
        with pytest.raises(BadParameter):
            kind.convert(text, None, None)


def test_only_what_was_given_is_sent() -> None:
    options = {"cpus": None, "nics": (), "cdroms": ("-", "debian"), "tpm": False, "notes": ""}
    assert given(options) == {"cdroms": ["", "debian"], "tpm": False, "notes": ""}
