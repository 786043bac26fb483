"""The kernel that a root on the network is started with: the appliance's own, or one of the catalogue."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from appliance.catalogue import Kernel, KernelId, boot_words
from appliance.deployment import Deployment
from appliance.errors import Conflict, NotFound
from appliance.machine import Machine
from appliance.netboot.policy import BootSpec, NetworkRoot
from appliance.netboot.stack_files import StackFile
from appliance.reconcile.root_document import RootFiles
from appliance.store import catalogue

PARTS = {"vmlinuz": "vmlinuz", "handover-modules": "modules"}
"""What is served of a kernel, and what that file is called where kernels are kept."""
_SEEN = 16
"""Digits of a kernel's SHA-256 in its address, which therefore never changes its content."""

KernelFile = Callable[[KernelId, str], Path]
"""Where a part of a kernel is stored."""


def kernel_for_roots(db: sqlite3.Connection, key: str | None) -> KernelId | None:
    """The number of the kernel that a user chose for a deployment; None for none, and for the appliance's own.

    Raises NotFound ``kernel-unknown``, Conflict ``kernel-without-modules``.
    """
    if not key:
        return None
    found = catalogue.kernel(db, key)
    if found.builtin:
        return None
    if found.modules_sha256 is None:
        text = f"kernel {found.name} came without its modules, and a root on the network needs those of its card"
        hint = f"give it its modules: qrm kernels modules {found.name} FILE; or leave it out: the appliance's own"
        raise Conflict("kernel-without-modules", text, hint, "kernel")
    return found.id


def kernels_for_roots(db: sqlite3.Connection) -> list[Kernel]:
    """Those that can be chosen besides the appliance's own."""
    return [each for each in catalogue.kernels(db) if each.modules_sha256 is not None and not each.builtin]


def kernel_of(db: sqlite3.Connection, deployment: Deployment) -> Kernel | None:
    """The kernel of the catalogue that its root starts with; None for the appliance's own."""
    return None if deployment.kernel is None else catalogue.kernel(db, deployment.kernel)


def path_of(kernel: Kernel) -> str:
    """URL path of the directory with what is served of it."""
    return f"/kernels/{kernel.id}-{kernel.vmlinuz_sha256[:_SEEN]}"


def spec_with(spec: BootSpec, kernel: Kernel | None) -> BootSpec:
    """The boot decision with that kernel."""
    if kernel is None or not isinstance(spec, NetworkRoot):
        return spec
    return replace(spec, files=path_of(kernel), append=boot_words(kernel.cmdline))


def files_with(own: RootFiles, kernel: Kernel | None) -> RootFiles:
    """What the root starts with; ``own`` is that with the appliance's own kernel, and complete."""
    if kernel is None:
        return own
    assert kernel.modules_sha256 is not None, "no other kernel is chosen"
    files = {
        "vmlinuz": StackFile(kernel.vmlinuz_bytes, kernel.vmlinuz_sha256),
        "handover": own.files["handover"],
        "handover-modules": StackFile(kernel.modules_bytes, kernel.modules_sha256),
    }
    return RootFiles(path_of(kernel), files, boot_words(kernel.cmdline))


def lacking(kernel: Kernel | None, stored: KernelFile) -> Conflict | None:
    """What is not here of a kernel that a root is to start with; None for nothing."""
    if kernel is None or all(stored(kernel.id, part).is_file() for part in PARTS.values()):
        return None
    text = f"the content of kernel {kernel.name} is not on the appliance"
    return Conflict("kernel-missing", text, "upload it again, or take it out of its image, or choose another kernel")


def served(db: sqlite3.Connection, address: str, name: str, stored: KernelFile) -> Path:
    """The file that is served at ``path_of`` under a name; raises NotFound."""
    number, _, seen = address.partition("-")
    kernel = catalogue.kernel(db, KernelId(int(number)))
    part = PARTS.get(name)
    if part is None or kernel.vmlinuz_sha256[:_SEEN] != seen or kernel.modules_sha256 is None:
        raise NotFound("file-unknown", "there is no such kernel")
    return stored(kernel.id, part)


def unsigned(kernel: Kernel | None, machine: Machine) -> str:
    """What Secure Boot does to a start with this kernel, in words; empty where nothing is in its way."""
    if kernel is None or kernel.signed or not machine.secure_boot:
        return ""
    return (
        f"{machine.name} has Secure Boot on, and kernel {kernel.name} is not signed: it starts by kexec if at all, and"
        " never through firmware. Choose a signed kernel, or switch Secure Boot off."
    )
