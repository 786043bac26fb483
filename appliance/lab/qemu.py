"""The QEMU command line of one machine.  Pure.

QEMU's manual page is the reference; a comma inside a value is written twice (section "-drive" and others).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.lab.plan import AS_SET_UP, Accelerator, Bus, DirectKernel, Disk, Firmware, MachinePlan, Nic, Start

PROGRAM = "qemu-system-x86_64"
OVMF_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
OVMF_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
SECURE_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")
"""OVMF that keeps its variables in system management mode, out of reach of what it boots."""
SECURE_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
"""Microsoft's keys enrolled, and Secure Boot on."""
BIOS_ROM = Path("/usr/lib/ipxe/qemu/efi-virtio.rom")
"""What QEMU gives to virtio network cards by itself; BIOS and UEFI in one file."""


@dataclass(frozen=True, slots=True)
class Channels:
    """File descriptors that QEMU inherits: sockets connected to the lab, so that nobody else can reach them."""

    qmp: int
    serial: int


def command_line(
    machine: MachinePlan,
    directory: Path,
    channels: Channels,
    accelerator: Accelerator = "tcg",
    how: Start = AS_SET_UP,
) -> list[str]:
    """Program and arguments; files of the machine are looked for in ``directory``.

    With ``how.direct`` QEMU loads that kernel before it asks any boot device.
    """
    return [
        PROGRAM,
        *("-name", f"{escape(machine.name)},process=qrm-{escape(machine.name)}"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-vga", "std"),
        *_processor(machine, accelerator),
        *_firmware(machine, directory),
        *_smbios(machine),
        *_channels(channels),
        *("-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
        *_nics(machine, how.network),
        *_disks(machine, directory, how.first_disk),
        *_direct(how.direct),
    ]


def variables_file(machine: MachinePlan) -> str | None:
    """Name of the machine's own UEFI variable store, made from ``factory_variables``; None on BIOS."""
    return f"{machine.name}-variables.fd" if machine.firmware == "uefi" else None


def factory_variables(machine: MachinePlan) -> Path:
    """The UEFI variables that the machine is sold with."""
    return SECURE_VARIABLES if machine.secure_boot else OVMF_VARIABLES


def escape(value: str) -> str:
    """``value`` as one suboption value: commas doubled."""
    return value.replace(",", ",,")


def _processor(machine: MachinePlan, accelerator: Accelerator) -> list[str]:
    accel = "tcg,thread=multi" if accelerator == "tcg" else "kvm"
    # max brings SHA and AES instructions, which QEMU emulates faster than the code they replace; five-level
    # paging costs a fifth level in every software page walk and gives nothing.
    cpu = "max,la57=off" if accelerator == "tcg" else "host"
    return ["-accel", accel, "-cpu", cpu, "-smp", str(machine.cpus), "-m", str(machine.memory_mib)]


# Only system management mode writes the variables; suspending to RAM would leave it (OVMF's README, "SMM support").
_SECURE = (
    *("-machine", "q35,smm=on"),
    *("-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1"),
)
# An interface has an entry for each way to boot from it, PXE before HTTP, and QEMU can only order interfaces. What a
# person does in firmware's set-up is done by switching PXE off (OvmfPkg/PlatformPei).
_WITHOUT_PXE = (
    *("-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n"),
    *("-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"),
)


def _firmware(machine: MachinePlan, directory: Path) -> list[str]:
    variables = variables_file(machine)
    if variables is None:
        # graphics=off makes SeaBIOS, and through it iPXE, speak on the serial port besides the screen. With
        # nothing to boot it tries again after ten seconds, as servers do.
        return ["-machine", "pc,graphics=off", "-boot", "strict=on,reboot-timeout=10000"]
    code = SECURE_CODE if machine.secure_boot else OVMF_CODE
    return [
        *(_SECURE if machine.secure_boot else ("-machine", "q35")),
        *("-boot", "strict=on"),
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"),
        *("-drive", f"if=pflash,unit=1,format=raw,file={escape(str(directory / variables))}"),
        *(_WITHOUT_PXE if machine.network_boot == "http" else ()),
    ]


def _direct(direct: DirectKernel | None) -> list[str]:
    if direct is None:
        return []
    return ["-kernel", direct.kernel, "-initrd", direct.initrd, "-append", direct.arguments]


def _smbios(machine: MachinePlan) -> list[str]:
    serial = escape(machine.serial)
    system = f"type=1,manufacturer=QRM,product=Lab Machine,version=1,serial={serial},uuid={machine.uuid}"
    return ["-smbios", system, "-smbios", f"type=3,manufacturer=QRM,serial={serial}"]


def _channels(channels: Channels) -> list[str]:
    return [
        *("-chardev", f"socket,id=qmp,fd={channels.qmp}", "-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"socket,id=serial,fd={channels.serial}", "-serial", "chardev:serial"),
    ]


def netdev(index: int) -> str:
    """What QEMU calls network interface ``index`` (from 0), for example in ``set_link``."""
    return f"net{index}"


def _nics(machine: MachinePlan, boot: bool) -> list[str]:
    arguments: list[str] = []
    for index, nic in enumerate(machine.nics):
        arguments += _nic(nic, index, machine.firmware, boot)
    return arguments


def _nic(nic: Nic, index: int, firmware: Firmware, boot: bool) -> list[str]:
    # BIOS runs the ROM that QEMU itself chooses: only that one gets its device id patched to fit the device.
    # With an empty ROM file OVMF's own driver and its own PXE run, as on a board with a UEFI network stack.
    rom = "" if firmware == "bios" else ",romfile="
    order = f",bootindex={index + 1}" if boot else ""  # "-boot strict=on": what has no place is not tried
    device = f"virtio-net-pci,netdev={netdev(index)},mac={nic.mac}{rom}{order}"
    return ["-netdev", f"tap,id={netdev(index)},ifname={nic.tap},script=no,downscript=no", "-device", device]


def _disks(machine: MachinePlan, directory: Path, first: int) -> list[str]:
    buses = {disk.bus for disk in machine.disks}
    arguments = [word for bus in sorted(buses & set(_CONTROLLERS)) for word in ("-device", _CONTROLLERS[bus])]
    # The network comes first, as firmware of a managed machine is set up, then the chosen disk, then the others.
    order = sorted(range(len(machine.disks)), key=lambda index: (index != first, index))
    for index, disk in enumerate(machine.disks):
        arguments += _disk(disk, index, directory, bootindex=len(machine.nics) + order.index(index) + 1)
    return arguments


def _disk(disk: Disk, index: int, directory: Path, bootindex: int) -> list[str]:
    # cache=unsafe: the lab survives no power cut of its host, so flushing would only cost time.
    drive = (
        f"if=none,id=disk{index},format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap,"
        f"file={escape(str(directory / disk.file))}"
    )
    device = (
        f"{_DISK_DEVICES[disk.bus](disk, index)},id=dev{index},drive=disk{index},serial={escape(disk.serial)},"
        f"logical_block_size={disk.sector_size},physical_block_size={max(disk.sector_size, 512)},bootindex={bootindex}"
    )
    return ["-drive", drive, "-device", device]


def _scsi_device(disk: Disk, index: int) -> str:
    return f"scsi-hd,bus=scsi.0,scsi-id={index},device_id={escape(disk.serial)},wwn={_wwn(disk.serial)}"


def _wwn(serial: str) -> str:
    """A locally assigned NAA 3 name (T10 SPC-4, 7.8.6.5), the same for the same serial number."""
    return f"0x3{int.from_bytes(serial.encode()[-7:], 'big'):015x}"


_DISK_DEVICES: dict[Bus, Callable[[Disk, int], str]] = {
    "virtio": lambda disk, index: "virtio-blk-pci",
    "scsi": _scsi_device,
    "nvme": lambda disk, index: "nvme",
    "usb": lambda disk, index: "usb-storage,bus=usb.0,removable=on",
}
_CONTROLLERS: dict[Bus, str] = {"scsi": "virtio-scsi-pci,id=scsi", "usb": "qemu-xhci,id=usb"}
"""What a machine needs once for all its disks of a kind."""
