"""What a computer must have to run a lab, and what to do when it lacks something.  Pure; ``survey`` looks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.lab import qemu
from appliance.lab.plan import LabPlan

TUN = Path("/dev/net/tun")
QEMU_OVERHEAD_MIB = 160
"""What a QEMU needs beside the memory of its machine: its own code, translated blocks, screen."""
LAB_OVERHEAD_MIB = 300
"""Daemon, the lab itself, and some air."""
LEAST_MACHINE_MIB = 768
"""The maintenance stack unpacks into memory; below this it does not come up."""
DISK_MIB_PER_MACHINE = 1536
"""An unpacked demo image with its logs; disks are sparse, so their nominal size does not count."""

PROGRAMS: Mapping[str, str] = {
    qemu.PROGRAM: "qemu-system-x86",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "dig": "bind9-dnsutils",
}
"""Programs the lab runs, with the Debian package each is in."""
FILES: Mapping[Path, str] = {
    qemu.BIOS_ROM: "ipxe-qemu",
    qemu.OVMF_CODE: "ovmf",
    qemu.OVMF_VARIABLES: "ovmf",
}
"""Files the lab needs, with the Debian package each is in."""


@dataclass(frozen=True, slots=True)
class Host:
    """What ``survey`` found. ``tun`` is ``ok``, ``missing`` or ``denied``; sysctls that do not exist are None."""

    programs: frozenset[str]
    files: frozenset[Path]
    tun: str
    root: bool
    max_user_namespaces: int | None
    unprivileged_userns_clone: int | None
    apparmor_restricts_userns: int | None
    namespace_error: str
    """What ``unshare`` said when it was tried; empty when it worked."""
    available_memory_mib: int
    free_disk_mib: int
    kvm: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is missing, and what to do about it."""

    what: str
    remedy: str


def problems(host: Host, plan: LabPlan) -> list[Problem]:
    """Everything that stands in the way, at once, so that it can be mended at once."""
    return [
        *_missing_packages(host),
        *_tun(host),
        *_namespaces(host),
        *_memory(host, plan),
        *_disk(host, plan),
        *_accelerator(host, plan),
    ]


def require(host: Host, plan: LabPlan) -> None:
    """Raise ``lab-requirements`` naming every problem with its remedy, if there is one."""
    found = problems(host, plan)
    if found:
        lines = [f"- {problem.what}\n  {problem.remedy}" for problem in found]
        raise ApplianceError("lab-requirements", "the lab cannot run here:\n" + "\n".join(lines))


def _missing_packages(host: Host) -> Iterable[Problem]:
    programs = {name: package for name, package in PROGRAMS.items() if name not in host.programs}
    files = {str(path): package for path, package in FILES.items() if path not in host.files}
    missing = {**programs, **files}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        yield Problem(f"missing: {', '.join(sorted(missing))}", f"sudo apt-get install {packages}")


def _tun(host: Host) -> Iterable[Problem]:
    if host.tun == "missing":
        yield Problem(
            f"{TUN} does not exist",
            "sudo modprobe tun; in a container: mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200",
        )
    elif host.tun == "denied":
        yield Problem(
            f"{TUN} is not writable for you",
            'sudo chmod 666 /dev/net/tun; to keep it so: echo \'KERNEL=="tun", MODE="0666"\' | '
            "sudo tee /etc/udev/rules.d/60-tun.rules (safe: making an interface still needs rights over a network)",
        )


def _namespaces(host: Host) -> Iterable[Problem]:
    """Only who is not root needs a user namespace; the distributions switch them off in three ways."""
    if not host.namespace_error:
        return
    yield Problem(f"namespaces cannot be made: {host.namespace_error}", _namespace_remedy(host))


def _namespace_remedy(host: Host) -> str:
    if host.root:
        return "a container needs CAP_SYS_ADMIN for a lab; or run it as an ordinary user"
    if host.unprivileged_userns_clone == 0:
        return "sudo sysctl kernel.unprivileged_userns_clone=1"
    if host.max_user_namespaces == 0:
        return "sudo sysctl user.max_user_namespaces=10000"
    if host.apparmor_restricts_userns:
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    return "run the lab as root"


def _memory(host: Host, plan: LabPlan) -> Iterable[Problem]:
    for machine in plan.machines:
        if machine.memory_mib < LEAST_MACHINE_MIB:
            what = f"{machine.name} has {machine.memory_mib} MiB of memory; the maintenance stack does not fit"
            yield Problem(what, f"--memory {LEAST_MACHINE_MIB} or more")
            break
    needed = needed_memory_mib(plan)
    if needed > host.available_memory_mib:
        what = f"the lab needs {needed} MiB of memory, {host.available_memory_mib} MiB are available"
        yield Problem(what, "fewer machines with --nodes, smaller ones with --memory, or end other programs")


def needed_memory_mib(plan: LabPlan) -> int:
    """Memory of the host that the lab takes when all its machines run."""
    return LAB_OVERHEAD_MIB + sum(machine.memory_mib + QEMU_OVERHEAD_MIB for machine in plan.machines)


def _disk(host: Host, plan: LabPlan) -> Iterable[Problem]:
    needed = DISK_MIB_PER_MACHINE * len(plan.machines)
    if needed > host.free_disk_mib:
        what = f"the lab needs about {needed} MiB of disk, {host.free_disk_mib} MiB are free"
        yield Problem(what, "name a directory on a larger disk with --state DIR or TMPDIR")


def _accelerator(host: Host, plan: LabPlan) -> Iterable[Problem]:
    if plan.accelerator == "kvm" and not host.kvm:
        yield Problem("/dev/kvm is not accessible", "leave --accelerator out, or join group kvm")
