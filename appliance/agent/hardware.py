"""What the agent does to the computer itself, behind one seam, so that tests can record it instead."""

import os
import signal
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NoReturn, Protocol

from .commandline import identifies, mac_of, parse
from .disk.listing import read_disks
from .disk.model import Disk
from .errors import Leaving
from .exported.given import ExportedRoot
from .exported.opening import opened
from .installed.root import Root
from .inventory import dmi, nics
from .kernel_messages import read_messages
from .neighbours.listen import listen
from .network import Link, bring_up, linked_cards
from .run import ProgramFailed, run
from .screen import Screen, console_devices
from .ssh_server import end_everything, foreign_mounts, start_server

EFI = Path("/sys/firmware/efi")
CLOCK_TOLERANCE = 2.0
"""Seconds of difference that no certificate minds."""


class Hardware(Protocol):
    """The computer. The real one is `ThisComputer`; `recorded.RecordedComputer` writes down what is asked."""

    @property
    def run_directory(self) -> Path:
        """Where things are kept until the next boot, for root only."""

    def command_line(self) -> str:
        """The kernel command line."""

    def consoles(self) -> list[Path]:
        """Where people look."""

    def firmware(self) -> str:
        """`bios` or `uefi`."""

    def identity(self) -> tuple[str | None, list[str]]:
        """SMBIOS UUID, and the MAC addresses of all network cards."""

    def connect(self, mac: str | None, screen: Screen) -> Link:
        """Bring the network up on the interface with `mac`, any when None."""

    def disks(self) -> list[Disk]:
        """All disks that are there now."""

    def exported(self, root: ExportedRoot) -> AbstractContextManager[Root]:
        """The root that the appliance exports to this machine, writable, given back in the end. Raises StepFailed."""

    def set_clock(self, now: float) -> None:
        """Set the clock to `now`, seconds of unix time."""

    def pause(self, seconds: float) -> None:
        """Wait."""

    def load_kernel(self, linux: Path, initrd: Path | None, cmdline: str) -> None:
        """Make a kernel ready for `enter_kernel`. Raises ProgramFailed where that is not possible."""

    def unload_kernel(self) -> None:
        """Forget what `load_kernel` did."""

    def enter_kernel(self) -> NoReturn:
        """Leave for the loaded kernel. Raises Leaving, if anything."""

    def reboot(self) -> NoReturn:
        """Now. Raises Leaving, if anything."""

    def kernel_messages(self) -> str:
        """What the kernel said since it started, bounded; "" where that cannot be read."""

    def neighbours(self) -> list[dict[str, Any]]:
        """What is plugged in at the other end of the cables; takes a minute. Raises OSError."""

    def open_ssh(self, keys: str) -> list[str]:
        """Start an SSH server with this content of authorized_keys; its public host keys. Raises ProgramFailed."""

    def mounted(self) -> list[str]:
        """Where users mounted something, the innermost first."""

    def leave_rescue(self) -> NoReturn:
        """End what users run, write out what they mounted, and restart. Raises Leaving, if anything."""


class ThisComputer:
    """The computer that the agent runs on."""

    run_directory = Path("/run/qrm")

    def command_line(self) -> str:
        return Path("/proc/cmdline").read_text()

    def consoles(self) -> list[Path]:
        try:
            return console_devices(Path("/sys/class/tty/console/active").read_text())
        except OSError:
            return []

    def firmware(self) -> str:
        return "uefi" if EFI.is_dir() else "bios"

    def identity(self) -> tuple[str | None, list[str]]:
        macs = (mac_of(nic["mac"]) for nic in nics.read_nics())
        return dmi.read_uuid(), [mac for mac in macs if mac and identifies(mac)]

    def connect(self, mac: str | None, screen: Screen) -> Link:
        return bring_up(mac, screen, self.pause)

    def disks(self) -> list[Disk]:
        return read_disks()

    def exported(self, root: ExportedRoot) -> AbstractContextManager[Root]:
        mac = parse(self.command_line()).mac or ""
        return opened(root, mac, self.run_directory / "exported", self.pause)

    def set_clock(self, now: float) -> None:
        if abs(time.time() - now) > CLOCK_TOLERANCE:
            time.clock_settime(time.CLOCK_REALTIME, now)

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def load_kernel(self, linux: Path, initrd: Path | None, cmdline: str) -> None:
        """kexec_file_load first: it checks signatures, which Secure Boot wants; the older call knows more formats."""
        arguments = ["--load", str(linux), f"--command-line={cmdline}"]
        if initrd is not None:
            arguments.append(f"--initrd={initrd}")
        try:
            run(["kexec", "--kexec-file-syscall", *arguments], timeout=120)
        except ProgramFailed:
            run(["kexec", "--kexec-syscall", *arguments], timeout=120)

    def unload_kernel(self) -> None:
        with suppress(ProgramFailed):
            run(["kexec", "--unload"])

    def enter_kernel(self) -> NoReturn:
        os.sync()
        with suppress(ProgramFailed):
            run(["kexec", "--exec"], timeout=60)
        self.reboot()  # the same disk, the long way round

    def reboot(self) -> NoReturn:
        """Nothing is mounted that a shutdown could save, so the short way is the sure one."""
        os.sync()
        for argv in (["reboot", "-f"], ["busybox", "reboot", "-f"]):
            with suppress(ProgramFailed):
                run(argv, timeout=30)
        with suppress(OSError):
            Path("/proc/sysrq-trigger").write_text("b")
        signal.pause()
        raise Leaving

    def kernel_messages(self) -> str:
        return read_messages()

    def neighbours(self) -> list[dict[str, Any]]:
        return listen(linked_cards())

    def open_ssh(self, keys: str) -> list[str]:
        return start_server(self.run_directory / "rescue", keys)

    def mounted(self) -> list[str]:
        return foreign_mounts(Path("/proc/self/mounts").read_text())

    def leave_rescue(self) -> NoReturn:
        end_everything(self.mounted())
        self.reboot()
