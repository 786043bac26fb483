"""The modules of a kernel that was added by hand: read out of an archive that a user brings, and given to it."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex

from appliance.accounts import Asker
from appliance.catalogue import Kernel, KernelId
from appliance.errors import Conflict, Invalid
from appliance.events import Bus, Event
from appliance.filesystem.stored import Stored
from appliance.imageformat import bzimage, deb, squashfs
from appliance.imageformat.kernels import KernelFiles, has_indexes, modules_in
from appliance.imageformat.recognise import is_packed, is_tar
from appliance.on_disk import sync
from appliance.reconcile import audit
from appliance.reconcile.image_kernels import package, source, taking
from appliance.reconcile.image_kernels.indexing import indexed
from appliance.reconcile.image_kernels.source import Archive, Source, Told
from appliance.reconcile.image_kernels.taking import Taken
from appliance.reconcile.imports import Imports, receiving
from appliance.reconcile.record import Tell, record
from appliance.store import catalogue
from appliance.store.store import Store

HEAD = 512
"""Bytes that tell what an archive is."""
PIECE = 1 << 20
_PACK = "pack it so: tar -C /usr -cJf modules.tar.xz lib/modules/$(uname -r)"
_MODULES = (".ko", ".ko.xz", ".ko.zst", ".ko.gz")


@dataclass(frozen=True, slots=True)
class Modules:
    """What roots on the network need of a kernel's modules."""

    version: str
    """Of the kernel that they are for."""
    packed: bytes
    """A compressed cpio."""
    notes: tuple[str, ...]
    """What was left out, in words."""


class KernelModules:
    """Gives kernels their modules; methods that change something take ``by``, who asked."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], imports: Imports) -> None:
        self._store, self._bus, self._clock, self._imports = store, bus, clock, imports

    async def check(self, key: str) -> Kernel:
        """The kernel that is to have them.

        Raises NotFound ``kernel-unknown``; Conflict ``kernel-builtin``, ``kernel-used``, ``kernel-missing``.
        """
        kernel = await self._store.read(lambda db: self._open(db, key))
        if not self._vmlinuz(kernel).is_file():
            text = f"the content of kernel {kernel.name} is not on the appliance"
            raise Conflict("kernel-missing", text, "upload the kernel again, then its modules")
        return kernel

    def taken(self, kernel: Kernel, path: Path, told: Told) -> Modules:
        """Those in an archive; blocks.

        Raises Invalid ``image-format``, ``image-escapes``, ``image-bomb``, ``modules-format``, ``modules-versions``;
        Conflict ``kernel-differs``; ApplianceError ``program-missing``, ``upload-failed``.
        """
        stored = Stored(path, _format(path), path.stat().st_size)
        scratch = self._imports.kernels / f"{token_hex(8)}.part"
        with source.opened_archive(stored, scratch, lambda at: told(at * 0.3)) as there:
            files = _found(there, _version(kernel, self._vmlinuz(kernel)))
            whole: Source = there
            if not has_indexes(files.modules, there.names):
                whole = indexed(there, files, self._imports.kernels, lambda at: told(0.3 + at * 0.3))
            packed, notes = taking.modules_of(whole, files, lambda at: told(0.6 + at * 0.4))
        return Modules(files.version, packed, notes)

    def package(self, path: Path, told: Told) -> Taken | None:
        """The kernel in a package of Debian; None for a file that is none. Blocks; raises as ``package.taken``."""
        if not package.is_here(path):
            return None
        return package.taken(path, self._imports.kernels / f"{token_hex(8)}.part", told)

    async def give(self, kernel: Kernel, modules: Modules, by: Asker) -> Kernel:
        """Keep them with the kernel; raises as ``check`` does."""
        async with receiving(self._imports.kernels, pieces(modules.packed)) as archive:

            def job(db: sqlite3.Connection, tell: Tell) -> Kernel:
                before = self._open(db, kernel.id)
                changed = replace(
                    self._looked_at(before),
                    version=before.version or modules.version,
                    modules_sha256=archive.sha256,
                    modules_bytes=archive.size,
                )
                catalogue.change_kernel(db, changed)
                os.replace(archive.path, self._imports.kernel_file(changed.id, "modules"))
                sync(self._imports.kernels)
                tell(Event("kernel.changed", self._clock(), f"{by} gave kernel {changed.name} its modules"))
                subject = ("kernel", changed.id, changed.name)
                audit.note(db, by, "kernel.modules", subject, before, changed, now=self._clock())
                return changed

            return await record(self._store, self._bus, job)

    async def bring(self, key: str, chunks: AsyncIterator[bytes], by: Asker) -> Kernel:
        """Give a kernel those in an archive that comes in one go; raises as ``check`` and ``taken`` do."""
        kernel = await self.check(key)
        async with receiving(self._imports.kernels, chunks) as archive:
            found = await asyncio.to_thread(self.taken, kernel, archive.path, lambda _: None)
            return await self.give(kernel, found, by)

    def _open(self, db: sqlite3.Connection, key: KernelId | str) -> Kernel:
        """One that may be given modules."""
        kernel = catalogue.kernel(db, key)
        if kernel.builtin:
            raise Conflict("kernel-builtin", "the maintenance stack's kernel came with its modules")
        users = catalogue.users_of_kernel(db, kernel.id)
        if users and self._imports.kernel_file(kernel.id, "modules").is_file():
            text = f"deployment {users[0]} starts with kernel {kernel.name} and the modules that it has"
            raise Conflict("kernel-used", text, "choose another kernel for it, or add this one under another name")
        return kernel

    def _looked_at(self, kernel: Kernel) -> Kernel:
        """With what was not looked at when it was added long ago."""
        path = self._vmlinuz(kernel)
        return replace(kernel, vmlinuz_bytes=path.stat().st_size, signed=bzimage.is_signed(_head(path)))

    def _vmlinuz(self, kernel: Kernel) -> Path:
        return self._imports.kernel_file(kernel.id, "vmlinuz")


def _version(kernel: Kernel, vmlinuz: Path) -> str:
    """Of the modules that it takes; empty where nothing says."""
    return bzimage.release(_head(vmlinuz)) or kernel.version


def _head(vmlinuz: Path) -> bytes:
    with vmlinuz.open("rb") as file:
        return file.read(bzimage.HEAD)


def _format(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(squashfs.MAGIC):
        return "squashfs"
    if head.startswith(deb.MAGIC):
        return "deb"
    if is_tar(head) or is_packed(head):
        return "tar"
    raise Invalid(
        "modules-format", "this is neither a tar archive nor a squashfs nor a package with modules", _PACK, "file"
    )


def _found(there: Archive, version: str) -> KernelFiles:
    """The one kernel that the archive is for, with where its modules are; ``version`` is the one that it has to be."""
    directories = modules_in(there.names)
    if not directories:
        text = "there are no modules in it: neither lib/modules/VERSION nor usr/lib/modules/VERSION"
        raise Invalid("modules-versions", text, _PACK, "file")
    if len(directories) > 1:
        text = f"there are modules of {len(directories)} kernels in it: {', '.join(sorted(directories)[:5])}"
        raise Invalid("modules-versions", text[:500], "pack those of one kernel: lib/modules/VERSION", "file")
    [(found, directory)] = directories.items()
    if version not in ("", found) or not bzimage.VERSION.fullmatch(found):
        text = f"they are the modules of kernel {found[:80]!r}, and this kernel is {version or 'of another version'}"
        raise Conflict("kernel-differs", text, f"pack lib/modules/{version or 'VERSION'}, as uname -r tells it", "file")
    if astray := min((each for each in there.astray if _is_module(each, directory)), default=""):
        text = f"{astray[:200]!r} in it is a link to what is not in it"
        raise Invalid("image-escapes", text, f"pack the modules themselves: {_PACK}", "file")
    return KernelFiles(found, "", "", directory)


def _is_module(path: str, directory: str) -> bool:
    return path.startswith(f"{directory}/") and path.endswith(_MODULES)


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    """What is in memory, as it would come."""
    for at in range(0, len(content), PIECE):
        yield content[at : at + PIECE]
