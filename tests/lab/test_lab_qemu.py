"""The QEMU command line of a machine, read as QEMU reads it."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from appliance.lab.plan import DirectKernel, Disk, Start, plan_machine
from appliance.lab.qemu import (
    OVMF_CODE,
    OVMF_VARIABLES,
    SECURE_CODE,
    SECURE_VARIABLES,
    Channels,
    command_line,
    escape,
    factory_variables,
    variables_file,
)

HERE = Path("/lab/x")
CHANNELS = Channels(qmp=7, serial=9)


def options(argv: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(argv) if option == name]


def device(argv: list[str], kind: str) -> dict[str, str]:
    found = next(value for value in options(argv, "-device") if value.split(",")[0] == kind)
    return dict(part.split("=", 1) for part in found.split(",")[1:])


def test_bios_machine_runs_the_rom_that_qemu_patches() -> None:
    argv = command_line(plan_machine(0, "bios"), HERE, CHANNELS)
    assert "romfile" not in device(argv, "virtio-net-pci")
    assert options(argv, "-machine")[0].startswith("pc,")
    assert not any("pflash" in drive for drive in options(argv, "-drive"))


def test_uefi_machine_has_its_own_variables_and_no_option_rom() -> None:
    machine = plan_machine(1, "uefi")
    argv = command_line(machine, HERE, CHANNELS)
    flash = [drive for drive in options(argv, "-drive") if "if=pflash" in drive]
    assert device(argv, "virtio-net-pci")["romfile"] == ""
    assert f"file={OVMF_CODE}" in flash[0]
    assert "readonly=on" in flash[0]
    assert flash[1].endswith(f"file=/lab/x/{variables_file(machine)}")
    assert "readonly" not in flash[1]


def test_a_machine_that_boots_by_http_has_pxe_switched_off() -> None:
    argv = command_line(plan_machine(1, "uefi", network_boot="http"), HERE, CHANNELS)
    assert options(argv, "-fw_cfg") == [
        "name=opt/org.tianocore/IPv4PXESupport,string=n",
        "name=opt/org.tianocore/IPv6PXESupport,string=n",
    ]
    assert "-fw_cfg" not in command_line(plan_machine(1, "uefi"), HERE, CHANNELS)


def test_a_machine_with_secure_boot_has_the_keys_enrolled_and_keeps_them_out_of_reach() -> None:
    machine = plan_machine(1, "uefi", secure_boot=True)
    argv = command_line(machine, HERE, CHANNELS)
    flash = [drive for drive in options(argv, "-drive") if "if=pflash" in drive]
    assert flash[0].endswith(f"file={SECURE_CODE}")
    assert options(argv, "-machine") == ["q35,smm=on"]
    assert "driver=cfi.pflash01,property=secure,value=on" in options(argv, "-global")
    assert factory_variables(machine) == SECURE_VARIABLES
    assert factory_variables(plan_machine(1, "uefi")) == OVMF_VARIABLES


def test_network_comes_before_the_disks_in_boot_order() -> None:
    argv = command_line(plan_machine(0, "bios", disks=2, nics=2), HERE, CHANNELS)
    devices = [value for value in options(argv, "-device") if "bootindex" in value]
    order = [(int(value.rsplit("bootindex=", 1)[1]), value.split(",")[0]) for value in devices]
    assert sorted(order) == [
        (1, "virtio-net-pci"),
        (2, "virtio-net-pci"),
        (3, "virtio-blk-pci"),
        (4, "virtio-blk-pci"),
    ]


def test_a_direct_kernel_is_loaded_by_qemu() -> None:
    argv = command_line(plan_machine(0, "bios"), HERE, CHANNELS, how=Start(DirectKernel("/k", "/i", "quiet a=b,c")))
    assert [options(argv, name) for name in ("-kernel", "-initrd", "-append")] == [["/k"], ["/i"], ["quiet a=b,c"]]
    assert "-kernel" not in command_line(plan_machine(0, "bios"), HERE, CHANNELS)


def test_every_disk_and_interface_has_an_identity_of_its_own() -> None:
    machines = [plan_machine(index, "bios", disks=2, nics=2) for index in range(64)]
    macs = [nic.mac for machine in machines for nic in machine.nics]
    taps = [nic.tap for machine in machines for nic in machine.nics]
    serials = [disk.serial for machine in machines for disk in machine.disks]
    assert len(set(macs)) == len(set(taps)) == len(set(serials)) == 128
    assert len({machine.uuid for machine in machines}) == 64
    assert all(len(tap) <= 15 for tap in taps), "IFNAMSIZ"
    assert all(len(serial) <= 20 for serial in serials), "virtio-blk cuts serial numbers at 20 bytes"


def test_reboots_stay_in_the_same_process_and_sockets_are_inherited() -> None:
    argv = command_line(plan_machine(0, "bios"), HERE, CHANNELS)
    assert "-no-reboot" not in argv
    assert options(argv, "-chardev") == ["socket,id=qmp,fd=7", "socket,id=serial,fd=9"]


def test_four_kilobyte_sectors_and_other_buses() -> None:
    disk = Disk("d.raw", 1 << 30, "S1", bus="scsi", sector_size=4096)
    argv = command_line(replace(plan_machine(0, "bios"), disks=(disk,)), HERE, CHANNELS)
    scsi = device(argv, "scsi-hd")
    assert scsi["logical_block_size"] == scsi["physical_block_size"] == "4096"
    assert scsi["wwn"].startswith("0x3")
    assert "virtio-scsi-pci,id=scsi" in options(argv, "-device")


def test_a_comma_in_a_path_does_not_become_an_option() -> None:
    assert escape("a,b") == "a,,b"
    argv = command_line(plan_machine(0, "bios"), Path("/lab/a,readonly=on"), CHANNELS)
    assert "file=/lab/a,,readonly=on/node1-disk1.raw" in options(argv, "-drive")[0]


def test_firmware_tries_the_network_then_the_chosen_disk() -> None:
    plan = plan_machine(0, "bios", disks=3)
    for first, expected in ((0, ["disk0", "disk1", "disk2"]), (2, ["disk2", "disk0", "disk1"])):
        argv = command_line(plan, HERE, CHANNELS, how=Start(first_disk=first))
        found = [dict(part.split("=", 1) for part in value.split(",")[1:]) for value in options(argv, "-device")]
        ordered = sorted((each for each in found if "bootindex" in each), key=lambda each: int(each["bootindex"]))
        assert [each.get("drive", each.get("netdev")) for each in ordered] == ["net0", *expected]


def test_a_machine_that_does_not_try_the_network_has_disks_only_in_its_order() -> None:
    argv = command_line(plan_machine(0, "bios"), HERE, CHANNELS, how=Start(network=False))
    assert "bootindex" not in device(argv, "virtio-net-pci")
    assert "bootindex" in device(argv, "virtio-blk-pci")
    assert options(argv, "-boot")[0].startswith("strict=on")
