"""Step `hand-over`: leave for the deployed system, by kexec where that can be, else by a reboot."""

import re
import tempfile
from pathlib import Path

from ..disk import block
from ..disk.model import Disk
from ..errors import StepFailed
from ..installed.root import Root
from ..installed.system import BootSource, System, find_boot, find_system, opened_boot
from ..job import Job, Outcome
from ..network_root import try_network_root
from ..run import ProgramFailed

PANIC = "panic=30"
"""A kernel that dies on the way restarts the machine, and firmware tries the other way in."""
KERNEL_LIMIT = 512 << 20


def hand_over(job: Job) -> Outcome:
    """Get everything ready; the leaving itself comes after the appliance knows. Raises StepFailed."""
    method = job.params.text("method", "kexec")
    if method not in ("kexec", "reboot"):
        raise StepFailed("bad-params", f"method {method!r} is neither kexec nor reboot")
    reason = "asked for"
    if method == "kexec":
        reason = _try_kexec(job) if job.params.has("disk") else try_network_root(job)
        if not reason:
            hardware = job.hardware
            return Outcome({"method": "kexec"}, "", afterwards=hardware.enter_kernel, undo=hardware.unload_kernel)
    result = {"method": "reboot", "reason": reason}
    return Outcome(result, f"reboot: {reason}", afterwards=job.hardware.reboot)


def _try_kexec(job: Job) -> str:
    """Load the image's kernel; returns why that was not possible, "" when it was."""
    disk = job.disk()
    with block.vanishing(disk.name):
        system = find_system(disk)
        source = find_boot(disk, system)
        if source is None:
            return "the image's boot configuration was not understood"
        try:
            _load(job, disk, system, source)
        except ProgramFailed as error:
            return error.message
    return ""


def _load(job: Job, disk: Disk, system: System, source: BootSource) -> None:
    cmdline = command_line(source.entry.cmdline, job.params.text("append", ""), system.volume.inside.uuid)
    with tempfile.TemporaryDirectory() as directory:
        with opened_boot(disk, source) as root:
            linux = _copied(root, (source.entry.linux,), Path(directory) / "linux")
            initrd = _copied(root, source.entry.initrds, Path(directory) / "initrd")
        assert linux
        job.hardware.load_kernel(linux, initrd, cmdline)


def _copied(root: Root, names: tuple[str, ...], to: Path) -> Path | None:
    """The files one after the other, as a boot loader loads several initrds; nothing stays mounted."""
    if not names:
        return None
    with to.open("wb") as file:
        for name in names:
            content = root.read(name, KERNEL_LIMIT)
            if content is None:
                raise ProgramFailed(f"the image's boot configuration names {name}, which is not there")
            file.write(content)
    return to


def command_line(own: str, append: str, root_uuid: str) -> str:
    """The image's own command line, and what a start without its boot loader needs besides (pure).

    Images whose root is found through firmware variables of the boot loader have no `root=`.
    """
    words = [*own.split(), *append.split()]
    if not any(re.match(r"(root|rd\.root|mount\.usr|nfsroot)=", word) for word in words):
        words += [f"root=UUID={root_uuid}", "ro"]
    if not any(word.startswith("panic=") for word in words):
        words.append(PANIC)
    return " ".join(words)
