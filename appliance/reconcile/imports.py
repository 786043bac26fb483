"""Images and kernels that users bring: streamed to disk, checked, then listed."""

import asyncio
import hashlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from appliance.accounts import APPLIANCE, Asker
from appliance.catalogue import (
    LONGEST_DESCRIPTION,
    LONGEST_VERSION,
    Image,
    ImageId,
    Kernel,
    KernelId,
    check_cmdline,
    sector_size_of,
    zstd_content_size,
)
from appliance.command import first_bytes
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.events import Bus, Event
from appliance.machine import check_length, check_name
from appliance.reconcile import audit, leftovers
from appliance.reconcile.leftovers import Aside
from appliance.reconcile.record import Tell, record
from appliance.store import catalogue
from appliance.store.store import Store

log = logging.getLogger(__name__)
Item = TypeVar("Item", Image, Kernel)

HEAD = 4096 + 512
"""Bytes at the start of a disk or a kernel that tell its format."""
DEFAULT_SECTOR_SIZE = 512
RESERVE = 1 << 30
"""Bytes that uploads leave free; a twentieth of a file system that is small."""
UNPACK = ("zstd", "--decompress", "--stdout", "--quiet", "--long=31")
"""As the agent does it: what it takes, an upload may be."""


@dataclass(slots=True)
class _Received:
    path: Path
    size: int = 0
    head: bytes = b""
    sha256: str = ""


class Imports:
    """Owns ``<state_dir>/images`` and ``<state_dir>/kernels``; file names there are ids, never users' words."""

    def __init__(self, store: Store, bus: Bus, state_dir: Path, clock: Callable[[], float]) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._state_dir = state_dir
        self.images = state_dir / "images"
        self.kernels = state_dir / "kernels"
        for directory in (self.images, self.kernels):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def sweep(self) -> None:
        """Finish what a crash cut off, and keep aside what nothing names. Before any upload."""
        images = {str(image.id) for image in await self._store.read(catalogue.images)}
        kernels = {file for kernel in await self._store.read(catalogue.kernels) for file in _kernel_files(kernel.id)}
        doomed = await self._store.read(catalogue.doomed)
        found = []
        for directory, named in ((self.images, images), (self.kernels, kernels)):
            going = {Path(path).name for path in doomed if Path(path).parent.name == directory.name}
            found.append(await asyncio.to_thread(leftovers.clear, directory, named, going))
        gone = [path for path in doomed if not (self._state_dir / path).exists()]
        try:
            await self._swept(gone, [aside for aside in found if aside])
        except ApplianceError as error:
            log.warning("what was found of old uploads is not in the events: %s", error.message)

    async def _swept(self, gone: Sequence[str], found: Sequence[Aside]) -> None:
        kept = " and ".join(map(str, found))
        text = f"images and kernels that the state does not name were kept: {kept}; upload them anew or remove them"
        if found:
            log.warning("%s", text)

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            catalogue.forget_doomed(db, gone)
            if found:
                why = "the state was lost or restored, or a crash cut an upload off"
                tell(Event("daemon.trouble", self._clock(), text, why))

        if gone or found:
            await record(self._store, self._bus, job)

    def image_path(self, image: ImageId | int) -> Path:
        """Where the content of an image is stored."""
        return self.images / str(int(image))

    def lacks(self, of: Image | Kernel) -> bool:
        """Whether its content is not here: the state was restored from a backup without it."""
        if isinstance(of, Image):
            return not self.image_path(of.id).is_file()
        vmlinuz, initrd = (self.kernels / name for name in _kernel_files(of.id))
        return not of.builtin and not (vmlinuz.is_file() and (of.initrd_sha256 is None or initrd.is_file()))

    async def add_image(
        self, name: str, description: str, image_format: str, chunks: AsyncIterator[bytes], by: Asker, expected: int = 0
    ) -> Image:
        """Store an upload as an image; raises Invalid for content that is not what it claims to be.

        ``image_format`` is ``raw`` or ``raw.zst``; ``expected`` is its length in bytes, where the sender says it.
        Raises ApplianceError ``upload-failed`` when there is no room. Nothing is left behind when it fails.
        """
        check_name(name)
        check_length(description, LONGEST_DESCRIPTION, "description")
        async with _receive(self.images, chunks, expected) as received:
            new = await asyncio.to_thread(self._described, name, description, image_format, received)

            def job(db: sqlite3.Connection, tell: Tell) -> Image:
                stored = self._refilled(catalogue.images(db), new) or catalogue.add_image(db, new)
                # Inside the transaction: an image that is listed has its content in place.
                os.replace(received.path, self.image_path(stored.id))
                _sync_directory(self.images)
                tell(Event("image.changed", self._clock(), f"{by} added image {stored.name}"))
                subject = ("image", stored.id, stored.name)
                audit.note(db, by, "image.create", subject, None, stored, now=self._clock())
                return stored

            return await record(self._store, self._bus, job)

    def _described(self, name: str, description: str, image_format: str, received: _Received) -> Image:
        if image_format == "raw.zst":
            size, head = _unpacked(received.path)
        elif image_format == "raw":
            size, head = received.size, received.head
        else:
            raise Invalid("image-format", f"format {image_format[:20]!r} is unknown", "use raw or raw.zst", "format")
        if size == 0 or size % 512:
            raise Invalid("image-size", f"{size} bytes are no whole disk", "upload the complete disk image")
        return Image(
            ImageId(0),
            name,
            description,
            "raw.zst" if image_format == "raw.zst" else "raw",
            size,
            received.size,
            received.sha256,
            sector_size_of(head) or DEFAULT_SECTOR_SIZE,
            self._clock(),
        )

    def _refilled(self, present: Sequence[Item], new: Item) -> Item | None:
        """The one of this name, if its content is not here and this is it; raises Conflict for other content."""
        found = next((each for each in present if each.name == new.name), None)
        if found is None or not self.lacks(found):
            return None
        if _digests(found) != _digests(new):
            message = f"{new.name} is here without its content, and this is another one"
            hint = f"upload the file with the SHA-256 {_digests(found)[0]}, or choose another name"
            raise Conflict("content-differs", message, hint, "name")
        return found

    async def tell_missing(self) -> None:
        """Say which images and kernels have no content here; once per start, when all is in that could come."""
        images, kernels = await self._store.read(catalogue.images), await self._store.read(catalogue.kernels)
        names = [f"image {each.name}" for each in images if self.lacks(each)]
        names += [f"kernel {each.name}" for each in kernels if self.lacks(each)]
        if not names:
            return
        shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        text = f"without content here: {shown}; upload the same files again under the same names"
        log.warning("%s", text)
        event = Event("daemon.trouble", self._clock(), text, "the state was restored from a backup without them")
        try:
            await record(self._store, self._bus, lambda _, tell: tell(event))
        except ApplianceError as error:
            log.warning("that is not in the events: %s", error.message)

    async def preload(self, directories: Sequence[Path]) -> None:
        """Add the images that came with the product, where the catalogue lacks their names.

        A directory has ``image.json`` and ``image.<format>``. Raises ApplianceError for one that has not.
        """
        present = {image.name for image in await self._store.read(catalogue.images) if not self.lacks(image)}
        for directory in directories:
            described = _description(directory)
            if described["name"] not in present:
                content = directory / f"image.{described['format']}"
                text = str(described.get("description", ""))
                await self._preload(described["name"], text, described["format"], content)

    async def _preload(self, name: str, text: str, image_format: str, content: Path) -> None:
        """Add one; a disk that is full must not keep the appliance from starting."""
        size = (await asyncio.to_thread(content.stat)).st_size
        try:
            await self.add_image(name, text, image_format, _file(content), APPLIANCE, size)
        except ApplianceError as error:
            if error.code not in ("upload-failed", "content-differs"):
                raise
            log.warning("image %s is not in the catalogue: %s", name, error.message)

    async def delete_image(self, key: str, by: Asker) -> None:
        """Forget an image and its content; raises Conflict while a deployment uses it."""

        def job(db: sqlite3.Connection, tell: Tell) -> Image:
            image = catalogue.image(db, key)
            catalogue.delete_image(db, image.id)
            catalogue.doom(db, [self._relative(self.image_path(image.id))])
            tell(Event("image.changed", self._clock(), f"{by} deleted image {image.name}"))
            subject = ("image", image.id, image.name)
            audit.note(db, by, "image.delete", subject, image, now=self._clock())
            return image

        image = await record(self._store, self._bus, job)
        leftovers.remove(self.image_path(image.id))

    async def add_kernel(
        self,
        name: str,
        version: str,
        cmdline: str,
        vmlinuz: AsyncIterator[bytes],
        initrd: AsyncIterator[bytes],
        by: Asker,
    ) -> Kernel:
        """Store a kernel with its initrd (which may be empty); raises Invalid for what is no Linux kernel."""
        check_name(name)
        check_length(version, LONGEST_VERSION, "version")
        cmdline = check_cmdline(cmdline)
        async with _receive(self.kernels, vmlinuz) as kernel, _receive(self.kernels, initrd) as ramdisk:
            if kernel.head[0x202:0x206] != b"HdrS":
                raise Invalid("kernel-format", "this is no Linux kernel for x86", "upload a bzImage", "vmlinuz")
            digest = ramdisk.sha256 if ramdisk.size else None
            new = Kernel(KernelId(0), name, version, cmdline, kernel.sha256, digest, self._clock())

            def job(db: sqlite3.Connection, tell: Tell) -> Kernel:
                stored = self._refilled(catalogue.kernels(db), new) or catalogue.put_kernel(db, new)
                for part, name in zip((kernel, ramdisk), _kernel_files(stored.id), strict=True):
                    if part.size:
                        os.replace(part.path, self.kernels / name)
                _sync_directory(self.kernels)
                tell(Event("kernel.changed", self._clock(), f"{by} added kernel {stored.name}"))
                subject = ("kernel", stored.id, stored.name)
                audit.note(db, by, "kernel.create", subject, None, stored, now=self._clock())
                return stored

            return await record(self._store, self._bus, job)

    async def delete_kernel(self, key: str, by: Asker) -> None:
        """Forget a kernel; raises Conflict for one that is built in."""

        def job(db: sqlite3.Connection, tell: Tell) -> Kernel:
            kernel = catalogue.kernel(db, key)
            catalogue.delete_kernel(db, kernel.id)
            catalogue.doom(db, [self._relative(self.kernels / name) for name in _kernel_files(kernel.id)])
            tell(Event("kernel.changed", self._clock(), f"{by} deleted kernel {kernel.name}"))
            subject = ("kernel", kernel.id, kernel.name)
            audit.note(db, by, "kernel.delete", subject, kernel, now=self._clock())
            return kernel

        kernel = await record(self._store, self._bus, job)
        for name in _kernel_files(kernel.id):
            leftovers.remove(self.kernels / name)

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._state_dir))


def _digests(of: Image | Kernel) -> tuple[str | None, ...]:
    return (of.stored_sha256,) if isinstance(of, Image) else (of.vmlinuz_sha256, of.initrd_sha256)


def _kernel_files(kernel: KernelId) -> tuple[str, str]:
    return f"{kernel}.vmlinuz", f"{kernel}.initrd"


def _unpacked(path: Path) -> tuple[int, bytes]:
    """Size of the disk in a compressed file, and its first bytes."""
    with path.open("rb", buffering=0) as stored:
        size = zstd_content_size(stored)
    try:
        return size, first_bytes([*UNPACK, str(path)], HEAD)
    except ApplianceError as error:
        if error.code != "program-failed":
            raise
        raise Invalid(
            "image-format", "this Zstandard file cannot be unpacked", "compress the disk image again"
        ) from error


def _description(directory: Path) -> dict[str, Any]:
    try:
        described = msgspec.json.decode((directory / "image.json").read_bytes(), type=dict[str, Any])
        check_name(str(described["name"]))
        (directory / f"image.{described['format']}").stat()
    except (OSError, msgspec.DecodeError, KeyError) as error:
        hint = "a preloaded directory has image.json and the image beside it"
        raise ApplianceError("preload-unusable", f"{directory}: {error}", hint) from error
    return described


async def _file(path: Path) -> AsyncIterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        while chunk := await asyncio.to_thread(os.read, descriptor, 1 << 20):
            yield chunk
    finally:
        os.close(descriptor)


@asynccontextmanager
async def _receive(directory: Path, chunks: AsyncIterator[bytes], expected: int = 0) -> AsyncIterator[_Received]:
    """The stream in a file of ours, synced; the file is removed at the end unless it was renamed."""
    received = _Received(directory / f"{os.urandom(8).hex()}.part")
    try:
        descriptor = os.open(received.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            check_room(descriptor, expected)
            await _take(received, descriptor, chunks)
        finally:
            os.close(descriptor)
        yield received
    except (ConnectionError, TimeoutError) as error:
        raise Invalid("upload-cut-off", "the upload ended before its end", "upload it again") from error
    except OSError as error:
        message = f"the upload could not be stored: {error.strerror}"
        raise ApplianceError("upload-failed", message, "free some space, then upload again") from error
    finally:
        received.path.unlink(missing_ok=True)


async def _take(received: _Received, descriptor: int, chunks: AsyncIterator[bytes]) -> None:
    digest = hashlib.sha256()
    async for chunk in chunks:
        if len(received.head) < HEAD:
            received.head = (received.head + chunk)[:HEAD]
        received.size += len(chunk)
        await asyncio.to_thread(_write, descriptor, chunk, digest)
    await asyncio.to_thread(os.fsync, descriptor)
    received.sha256 = digest.hexdigest()


def check_room(descriptor: int, needed: int) -> None:
    """Raise ApplianceError ``upload-failed`` where an upload of ``needed`` more bytes would leave too little.

    Leases, and all other state, are written to the same file system.
    """
    found = os.fstatvfs(descriptor)
    free, reserve = found.f_bavail * found.f_frsize, min(RESERVE, found.f_blocks * found.f_frsize // 20)
    if free - reserve < needed:
        message = (
            f"there is no room for the upload: {free / 1e9:.1f} GB are free, of which {reserve / 1e9:.1f} GB are kept"
            f" for the state, and {needed / 1e9:.1f} GB are needed at least"
        )
        raise ApplianceError("upload-failed", message, "delete images that nobody needs, or free other space")


def _write(descriptor: int, chunk: bytes, digest: "hashlib._Hash") -> None:
    check_room(descriptor, len(chunk))
    digest.update(chunk)
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
