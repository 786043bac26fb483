"""Definitions of VMs: what is written is read again, by us and by libvirt, whatever stands in it."""

import dataclasses
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import libvirt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vm_samples import ANY_TEXT, HOSTILE, good_vms

from appliance.errors import ApplianceError, Invalid
from appliance.hypervisor.domain_reading import read
from appliance.hypervisor.domain_revision import revised
from appliance.hypervisor.domain_xml import TAG, Accel, definition
from appliance.machine import MacAddress
from appliance.vm import Autostart, Bus, Cdrom, Disk, Firmware, Nic, System, Vm, VmId

ID = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
MAC = MacAddress("52:54:00:12:34:56")
WEB = Vm(ID, "web1", 2, 1 << 30, (Disk("sda", "/srv/web1.raw"),), (Cdrom("sdb"),), (Nic(MAC, "br0"),), ("sda", MAC))
OURS = "0123456789abcdef"
VALIDATED = libvirt.VIR_DOMAIN_DEFINE_VALIDATE
"""libvirt checks a definition against its own schema first."""


@pytest.fixture(scope="module")
def told():
    """What the real libvirt makes of a definition, without a hypervisor behind it."""
    connection = libvirt.open("test:///default")

    def tell(text):
        vm = connection.defineXMLFlags(text, VALIDATED)
        said = vm.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        vm.undefine()
        return said

    yield tell
    connection.close()


def shape(text):
    """Its elements and the names of their attributes, without what stands in them."""
    return [(each.tag, sorted(each.attrib)) for each in ET.fromstring(text).iter()]


@given(good_vms(), st.sampled_from(Accel))
def test_what_is_written_is_read_again(vm, accel):
    found = read(definition(vm, OURS, accel))
    assert (found.vm, found.owner, found.beyond) == (vm, OURS, ())


@settings(max_examples=40)
@given(good_vms())
def test_libvirt_takes_every_definition_and_keeps_what_it_says(told, vm):
    found = read(told(definition(vm, OURS, Accel.TEST)))
    assert (found.vm, found.owner, found.beyond) == (vm, OURS, ())


@pytest.mark.parametrize("accel", [Accel.KVM, Accel.QEMU])
@settings(max_examples=25)
@given(vm=good_vms())
def test_what_a_real_host_is_told_is_in_libvirts_schema(told, accel, vm):
    """As far as a libvirt without QEMU can say: all but what it emulates for."""
    text = definition(vm, OURS, accel).replace(f'<domain type="{accel}"', '<domain type="test"', 1)
    told(text.replace(' arch="x86_64" machine="q35"', ' arch="i686"'))


def with_text(text):
    """It in every field of a VM that is text."""
    return Vm(
        VmId(text),
        text,
        disks=(Disk("sda", f"/{text}", serial=text),),
        cdroms=(Cdrom("sdb", text),),
        nics=(Nic(MAC, text),),
        boot=("sda",),
        notes=text,
    )


@given(ANY_TEXT.filter(bool), st.sampled_from(Accel))
def test_no_text_ends_what_it_stands_in(text, accel):
    """Past all checks: it is the writer that keeps a text a text."""
    vm = with_text(text)
    made = definition(vm, text, accel)
    assert shape(made) == shape(definition(with_text("x"), "x", accel))
    found = read(made)
    assert (found.vm, found.owner) == (vm, text)
    assert read(revised(made, vm, text, accel)).vm == vm


@pytest.mark.parametrize("bad", ["\0", "\x1b", "\x0b", "\ufffe", "\ud800", "a\rb"])
@pytest.mark.parametrize("field", ["name", "notes"])
def test_what_xml_cannot_say_is_refused(field, bad):
    with pytest.raises(Invalid) as caught:
        definition(dataclasses.replace(WEB, **{field: bad}), OURS, Accel.KVM)
    assert caught.value.code == "vm-text"
    with pytest.raises(Invalid):
        revised(definition(WEB, OURS, Accel.KVM), dataclasses.replace(WEB, **{field: bad}), OURS, Accel.KVM)


@settings(max_examples=40)
@given(good_vms(), good_vms())
def test_a_definition_becomes_what_is_wanted(told, before, after):
    after = dataclasses.replace(after, id=before.id)
    there = told(definition(before, OURS, Accel.TEST))
    assert read(told(revised(there, after, OURS, Accel.TEST))).vm == after


@given(good_vms())
def test_what_is_as_it_is_wanted_stays_to_the_letter(vm):
    there = definition(vm, OURS, Accel.KVM)
    assert revised(there, vm, OURS, Accel.KVM) == there


FOREIGN = f"""\
<domain type='kvm' id='3'>
  <name>old {escape(HOSTILE)}</name>
  <uuid>{ID}</uuid>
  <metadata><other xmlns='urn:other'/></metadata>
  <memory unit='GiB'>2</memory><currentMemory unit='GiB'>1</currentMemory><vcpu current='1'>2</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><boot dev='network'/><boot dev='hd'/><boot dev='fd'/></os>
  <cpu mode='custom'><model>Nehalem</model><topology sockets='2' cores='1' threads='1'/></cpu>
  <devices>
    <emulator>/usr/bin/other</emulator>
    <disk type='network' device='disk'><source protocol='rbd' name='a/b'/><target dev='sda' bus='scsi'/></disk>
    <disk type='file' device='disk'><driver type='vmdk'/><source file='/a'/><target dev='sdb' bus='scsi'/></disk>
    <disk type='file' device='disk'><source file='/a'/><target dev='hda' bus='ide'/></disk>
    <disk type='file' device='disk'><driver type='qcow2'/><source file='/b'/><target dev='vda' bus='virtio'/>
      <address type='pci' slot='0x07'/></disk>
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>
    <interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/><model type='virtio'/>
      <address type='pci' slot='0x03'/></interface>
    <hostdev mode='subsystem' type='pci'/>
    <video/>
  </devices>
</domain>
"""


def test_a_vm_of_somebody_else_is_read_as_far_as_it_goes():
    found = read(FOREIGN)
    assert found.owner is None
    assert found.vm.name == f"old {HOSTILE}"
    assert (found.vm.cpus, found.vm.memory) == (2, 2 << 30)
    assert [(each.target, each.bus, each.format) for each in found.vm.disks] == [("vda", Bus.VIRTIO_BLK, "qcow2")]
    assert [each.mac for each in found.vm.nics] == ["52:54:00:00:00:02"]
    assert found.vm.boot == (), "it starts from a card and a disk that we do not know"
    assert found.beyond == (
        "disk sda (scsi)",
        "disk sdb (scsi)",
        "disk hda (ide)",
        "interface 52:54:00:00:00:01 (network)",
        "hostdev",
    )


def test_a_change_leaves_alone_what_it_is_not_about():
    before = read(FOREIGN).vm
    nic, disk = before.nics[0], before.disks[0]
    wanted = dataclasses.replace(
        before,
        cpus=4,
        disks=(Disk("sdc", "/new"), dataclasses.replace(disk, path="/c")),
        nics=(dataclasses.replace(nic, bridge="br1"),),
        boot=("vda", nic.mac),
    )
    made = revised(FOREIGN, wanted, OURS, Accel.KVM)
    found, root = read(made), ET.fromstring(made)
    assert found.vm == dataclasses.replace(wanted, disks=wanted.disks)
    assert (found.beyond, found.owner) == (read(FOREIGN).beyond, OURS)
    assert root.find("os/type").get("machine") == "pc-i440fx-7.2"
    assert root.findtext("cpu/model") == "Nehalem"
    assert root.find("cpu/topology").get("cores") == "4"
    assert root.find("metadata/{urn:other}other") is not None
    slots = [each.get("slot") for each in root.findall("devices/*/address[@type='pci']")]
    assert slots == ["0x07", "0x03"], "systems name their cards by them"
    assert root.findall("os/boot") == []


def test_a_disk_on_another_bus_gets_another_slot():
    there = definition(WEB, OURS, Accel.KVM).replace("<boot order", "<address type='drive' unit='3' /><boot order", 1)
    assert 'unit="3"' in revised(there, dataclasses.replace(WEB, disks=(Disk("sda", "/other"),)), OURS, Accel.KVM)
    moved = (Disk("sda", "/srv/web1.raw", Bus.SATA),)
    assert 'unit="3"' not in revised(there, dataclasses.replace(WEB, disks=moved), OURS, Accel.KVM)


def test_a_new_disk_gets_the_controller_that_systems_know():
    bare = definition(dataclasses.replace(WEB, disks=(), boot=(MAC,)), OURS, Accel.KVM)
    disks = (Disk("sda", "/a"), Disk("sdh", "/b"))
    for there in (bare, definition(WEB, OURS, Accel.KVM)):
        root = ET.fromstring(revised(there, dataclasses.replace(WEB, disks=disks), OURS, Accel.KVM))
        models = [each.get("model") for each in root.findall("devices/controller[@type='scsi']")]
        assert models == ["virtio-scsi", "virtio-scsi"]


def test_one_list_of_kinds_means_the_first_of_each():
    text = definition(dataclasses.replace(WEB, boot=()), OURS, Accel.KVM)
    kinds = "".join(f"<boot dev='{each}'/>" for each in ("cdrom", "network", "hd", "hd"))
    assert read(text.replace("</os>", f"{kinds}</os>")).vm.boot == ("sdb", MAC, "sda")


@pytest.mark.parametrize(
    ("system", "firmware"),
    [
        ("<os firmware='efi'/>", Firmware.UEFI),
        ("<os firmware='efi'><loader secure='yes'/></os>", Firmware.SECURE_BOOT),
        ("<os><loader type='pflash' readonly='yes'>/OVMF.fd</loader></os>", Firmware.UEFI),
        ("<os><loader type='rom'>/bios.bin</loader></os>", Firmware.BIOS),
        ("<os firmware='bios'/>", Firmware.BIOS),
        ("", Firmware.BIOS),
    ],
)
def test_firmware_is_known_however_it_is_said(system, firmware):
    assert read(f"<domain><name>a</name>{system}</domain>").vm.firmware is firmware


@pytest.mark.parametrize("text", ["", "<domain>", "<domain/>", "<network><name>a</name></network>", "\0"])
def test_what_is_no_definition_is_said_so(text):
    with pytest.raises(ApplianceError) as caught:
        read(text)
    assert caught.value.code == "libvirt-unreadable"


@given(st.text())
def test_any_number_is_a_number_or_none(text):
    root = ET.fromstring(definition(dataclasses.replace(WEB, autostart=Autostart(3, 1)), OURS, Accel.KVM))
    for each in (root.find("vcpu"), root.find("memory")):
        each.text = text
    root.find("devices/disk/boot").set("order", text)
    root.find(f"metadata/{TAG}")[0].set("delay", text)
    try:
        written = ET.tostring(root, encoding="unicode")
        ET.fromstring(written)
    except (ET.ParseError, UnicodeEncodeError):
        return
    read(written)


def test_windows_finds_its_own_interfaces_under_kvm_only():
    windows = dataclasses.replace(WEB, system=System.WINDOWS)
    assert "hyperv" in definition(windows, OURS, Accel.KVM)
    assert "hyperv" not in definition(windows, OURS, Accel.QEMU)
    assert "hyperv" not in definition(WEB, OURS, Accel.KVM)


def test_no_screen_can_be_reached_over_the_network():
    screens = ET.fromstring(definition(WEB, OURS, Accel.KVM)).findall("devices/graphics")
    assert [each.attrib for each in screens] == [{"type": "vnc"}]
    assert [each.attrib for each in screens[0]] == [{"type": "socket"}]
