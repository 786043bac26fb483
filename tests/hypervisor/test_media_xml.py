"""Discs in libvirt's definitions: exchanged alone, and never given to the user that VMs run as."""

import libvirt
import pytest
from hypothesis import given, settings
from vm_samples import good_vms

from appliance.hypervisor.domain_reading import parsed, read
from appliance.hypervisor.domain_xml import Accel, definition
from appliance.hypervisor.kvm_media import keeps_shut
from appliance.hypervisor.media_xml import drive_in, gives_away, owners_kept, path_in, refilled

DRIVE = """<domain><name>x</name><devices>
<disk type='block' device='cdrom'><driver name='qemu' type='raw'/><source dev='/dev/sr0' index='3'><seclabel model='dac'
relabel='no'/></source><backingStore/><target dev='sda' bus='sata' tray='closed'/><readonly/><boot order='1'/><alias
name='sata0-0-0'/><address type='drive' controller='0' bus='0' target='0' unit='0'/></disk></devices></domain>"""


@pytest.mark.parametrize(
    ("address", "gives"),
    [
        ("qemu:///system", True),
        ("qemu+ssh://root@host/system?no_tty=1", True),
        ("qemu:///session?socket=/run/system", False),
        ("test:///default", False),
    ],
)
def test_who_gives_files_away(address, gives):
    assert gives_away(address) == gives


def test_another_disc_and_nothing_else_of_the_drive():
    drive = drive_in(DRIVE, "sda")
    assert path_in(drive) == "/dev/sr0"
    said = refilled(drive, '/srv/a & "b".iso', owner_kept=True)
    again = drive_in(f"<domain><name>x</name><devices>{said}</devices></domain>", "sda")
    assert path_in(again) == '/srv/a & "b".iso'
    assert [each.tag for each in again] == ["driver", "source", "target", "readonly", "boot", "alias", "address"]
    assert again.find("source/seclabel").attrib == {"model": "dac", "relabel": "no"}
    empty = refilled(drive_in(DRIVE, "sda"), "", owner_kept=True)
    assert "source" not in empty
    assert 'type="file"' in empty
    assert drive_in(DRIVE, "sdb") is None


@settings(max_examples=40, deadline=None)
@given(good_vms())
def test_libvirt_takes_and_keeps_that_discs_stay_whose_they_are(vm):
    """Its schema is asked, and what it says afterwards is read as the same VM."""
    connected = libvirt.open("test:///default")
    said = owners_kept(definition(vm, "me", Accel.TEST))
    assert owners_kept(said) == said
    domain = connected.defineXMLFlags(said, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    try:
        kept = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    finally:
        domain.undefine()
    assert read(kept).vm == read(said).vm
    for drive in parsed(kept).findall("devices/disk[@device='cdrom']"):
        source = drive.find("source")
        assert source is None or [each.attrib for each in source.findall("seclabel")] == [
            {"model": "dac", "relabel": "no"}
        ]
    disks = parsed(kept).findall("devices/disk[@device='disk']/source/seclabel")
    assert disks == [], "disks are the VM's own"


@pytest.mark.parametrize(
    ("words", "shut"),
    [
        (
            "internal error: unable to execute QEMU command 'blockdev-open-tray': Device 'sata0-0-1' is locked and "
            "force was not specified, wait for tray to open and try again",
            True,
        ),
        ("operation failed: timed out waiting to open tray of 'sdb'", True),
        ("Cannot access storage file '/srv/a.iso': No such file or directory", False),
        ('Failed to get shared "write" lock', False),
        ("cannot acquire state change lock", False),
    ],
)
def test_what_is_said_of_a_drive_that_is_kept_shut(words, shut):
    assert keeps_shut(words) == shut
