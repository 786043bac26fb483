"""The QEMU command line of the guest.  Pure."""

from dataclasses import dataclass
from pathlib import Path

PROGRAM = "qemu-system-x86_64"
KERNEL_ARGUMENTS = (
    "console=ttyS0,115200n8 quiet mitigations=off apparmor=0 selinux=0 audit=0 panic=-1 net.ifnames=0 "
    "random.trust_cpu=on tsc=reliable systemd.default_timeout_start_sec=600 systemd.default_device_timeout_sec=600 "
    "udev.event_timeout=600"
)
"""Nobody attacks the guest, and every check costs more under emulation; its host may be busy with other tests."""
WITHOUT_SHELL = "systemd.mask=serial-getty@ttyS0.service"
MEMORY_MIB = 2048
CPUS = 2
SCSI_DISKS = 4
NICS = 4


@dataclass(frozen=True, slots=True)
class Files:
    """What the guest boots from, and ``source``: a squashed copy of the project."""

    kernel: Path
    initrd: Path
    root: Path
    source: Path
    scratch: tuple[Path, ...]
    """Raw images of the disks that tests may do with as they like: SCSI_DISKS of them on SCSI, the last on NVMe."""
    serial: Path | None
    """What the guest says on its serial port is added to this file; None is our terminal, with a shell on it."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Descriptors of sockets that QEMU inherits."""

    agent: int
    qmp: int


def command_line(files: Files, channels: Channels, accelerator: str = "tcg") -> list[str]:
    """Program and arguments; nothing in it but the files and the sockets reaches out of QEMU."""
    return [
        PROGRAM,
        *("-name", "guest,process=qrm-guest", "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none"),
        *("-machine", "q35", *_processor(accelerator), "-smp", str(CPUS), "-m", str(MEMORY_MIB)),
        *("-kernel", str(files.kernel), "-initrd", str(files.initrd), "-append", _arguments(files)),
        *("-chardev", f"socket,id=qmp,fd={channels.qmp}", "-mon", "chardev=qmp,mode=control"),
        *_serial(files.serial),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,fd={channels.agent}"),
        *("-device", "virtserialport,chardev=agent,name=qrm"),
        *("-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
        *_read_only("root", files.root),
        *_read_only("source", files.source),
        *_scratch(files.scratch),
        *_nics(),
    ]


def _arguments(files: Files) -> str:
    return KERNEL_ARGUMENTS if files.serial is None else f"{KERNEL_ARGUMENTS} {WITHOUT_SHELL}"


def _serial(log: Path | None) -> list[str]:
    if log is None:
        return ["-chardev", "stdio,id=serial,mux=on,signal=off", "-serial", "chardev:serial", "-mon", "chardev=serial"]
    return ["-chardev", f"file,id=serial,path={log},append=on", "-serial", "chardev:serial"]


def _processor(accelerator: str) -> list[str]:
    """``max`` offers what KVM in the guest needs, also under emulation; a fifth level of pages only costs time."""
    if accelerator == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"]


def _read_only(name: str, file: Path) -> list[str]:
    return [
        *("-drive", f"if=none,id={name},format=raw,readonly=on,file={file}"),
        *("-device", f"virtio-blk-pci,drive={name},serial=qrm-{name}"),
    ]


def _scratch(files: tuple[Path, ...]) -> list[str]:
    arguments = ["-device", "virtio-scsi-pci,id=scsi"]
    for index, file in enumerate(files):
        # A power cut ends QEMU, not the host: what QEMU has written is on the disk, flushed or not.
        drive = f"if=none,id=disk{index},format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap,file={file}"
        arguments += ["-drive", drive, "-device", _disk(index)]
    return arguments


def _disk(index: int) -> str:
    kind = f"scsi-hd,bus=scsi.0,scsi-id={index}" if index < SCSI_DISKS else "nvme"
    return f"{kind},id=dev{index},drive=disk{index},serial=scratch{index}"


def mac(index: int) -> str:
    """Address of network interface ``index`` from 0 (``eth0`` in the guest); locally administered."""
    return f"52:54:00:67:00:{index + 1:02x}"


def _nics() -> list[str]:
    """All on one hub inside QEMU, so that the guest's interfaces reach each other and nothing else."""
    arguments = []
    for index in range(NICS):
        arguments += ["-netdev", f"hubport,id=net{index},hubid=0"]
        arguments += ["-device", f"virtio-net-pci,netdev=net{index},mac={mac(index)},romfile="]
    return arguments
