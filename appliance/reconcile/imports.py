"""Images and kernels that users bring: streamed to disk, checked, then listed."""

import asyncio
import hashlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from appliance.accounts import APPLIANCE, Asker
from appliance.catalogue import (
    LONGEST_DESCRIPTION,
    LONGEST_VERSION,
    Image,
    ImageFormat,
    ImageId,
    Kernel,
    KernelId,
    KernelWords,
    check_cmdline,
)
from appliance.decoding import decoded
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus, Event
from appliance.imageformat import bzimage
from appliance.imageformat.found import Found
from appliance.machine import check_length, check_name
from appliance.on_disk import sync
from appliance.pool import GoldenVolume
from appliance.reconcile import audit, leftovers
from appliance.reconcile.converting import converted
from appliance.reconcile.disk_room import append, check_room
from appliance.reconcile.leftovers import Aside
from appliance.reconcile.recognising import looked_at
from appliance.reconcile.record import Tell, announce, record
from appliance.store import catalogue, goldens
from appliance.store.store import Store

log = logging.getLogger(__name__)
Item = TypeVar("Item", Image, Kernel)

HEAD = bzimage.HEAD
"""Bytes at the start of a kernel that tell what it is."""


@dataclass(slots=True)
class Received:
    """A file that comes in one go."""

    path: Path
    size: int = 0
    """Bytes that are here."""
    head: bytes = b""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A file in ``<state_dir>/images``, not listed yet."""

    path: Path
    sha256: str
    """Of all of it, hexadecimal."""


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
        named = zip(_kernel_files(of.id), _digests(of), strict=True)
        return not of.builtin and not all((self.kernels / name).is_file() for name, digest in named if digest)

    def kernel_file(self, of: KernelId, part: str) -> Path:
        """Where ``vmlinuz``, ``initrd`` or ``modules`` of a kernel is stored."""
        return self.kernels / f"{of}.{part}"

    async def add_image(
        self, name: str, description: str, image_format: str, chunks: AsyncIterator[bytes], by: Asker, expected: int = 0
    ) -> Image:
        """Store what comes in one go as an image; raises Invalid for content that is not what it claims to be.

        ``image_format`` is what it is said to be; empty: its content tells.
        """
        check_new_image(name, description)
        async with receiving(self.images, chunks, expected) as received:
            content = Content(received.path, received.sha256)
            found = await asyncio.to_thread(looked_at, content.path, image_format, bool)
            if found.format != "qcow2":
                return await self.list_image(name, description, found, content, by)
            async with self.as_disk(content, found, lambda _: None) as (found, content):
                return await self.list_image(name, description, found, content, by)

    @asynccontextmanager
    async def as_disk(
        self, content: Content, found: Found, told: Callable[[float], None]
    ) -> AsyncIterator[tuple[Found, Content]]:
        """The raw disk that was in a qcow2 file, in a file that is removed at the end.

        ``told`` hears how far it is. Raises as ``converted`` and ``looked_at`` do.
        """
        path = self.images / f"{os.urandom(8).hex()}.part"
        try:
            await converted(content.path, path, found.size, told)
            disk = await asyncio.to_thread(looked_at, path, "raw", bool)
            yield disk, Content(path, await asyncio.to_thread(_digest, path))
        finally:
            path.unlink(missing_ok=True)

    async def list_image(self, name: str, description: str, found: Found, content: Content, by: Asker) -> Image:
        """List a file that was looked at; it stays where it is, too. Raises Conflict for its name."""
        size = (await asyncio.to_thread(content.path.stat)).st_size
        new = _image(name, description, found, size, content.sha256, self._clock())

        def job(db: sqlite3.Connection, tell: Tell) -> Image:
            stored = self._refilled(catalogue.images(db), new) or catalogue.add_image(db, new)
            # Inside the transaction: an image that is listed has its content in place.
            _linked(content.path, self.image_path(stored.id))
            tell(Event("image.changed", self._clock(), f"{by} added image {stored.name}"))
            subject = ("image", stored.id, stored.name)
            audit.note(db, by, "image.create", subject, None, stored, now=self._clock())
            return stored

        return await record(self._store, self._bus, job)

    async def check_free(self, kind: str, name: str) -> None:
        """Raise Conflict where the name of an image or kernel is taken: said before gigabytes come, not after them.

        One whose content is missing may come again.
        """
        find = catalogue.image if kind == "image" else catalogue.kernel
        try:
            found: Image | Kernel = await self._store.read(lambda db: find(db, name))
        except NotFound:
            return
        if found.name == name and not self.lacks(found):
            raise Conflict("name-taken", f"another {kind} is called {name}", "choose another name", "name")

    def _refilled(self, present: Sequence[Item], new: Item) -> Item | None:
        """The one of this name, if its content is not here and this is it; raises Conflict for other content."""
        found = next((each for each in present if each.name == new.name), None)
        if found is None or not self.lacks(found):
            return None
        if not _same(found, new):
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
        await announce(self._store, self._bus, event)

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
            left = _left_of(goldens.release(db, image.id))
            tell(Event("image.changed", self._clock(), f"{by} deleted image {image.name}{left}"))
            subject = ("image", image.id, image.name)
            audit.note(db, by, "image.delete", subject, image, now=self._clock())
            return image

        image = await record(self._store, self._bus, job)
        leftovers.remove(self.image_path(image.id))

    async def add_kernel(
        self,
        words: KernelWords,
        vmlinuz: AsyncIterator[bytes],
        initrd: AsyncIterator[bytes],
        by: Asker,
        modules: AsyncIterator[bytes] | None = None,
    ) -> Kernel:
        """Store a kernel with its initrd (which may be empty); raises Invalid for what is no Linux kernel.

        ``modules`` is the archive that is loaded behind the hand-over initrd.
        """
        check_name(words.name)
        check_length(words.version, LONGEST_VERSION, "version")
        words = replace(words, cmdline=check_cmdline(words.cmdline))
        async with (
            receiving(self.kernels, vmlinuz) as kernel,
            receiving(self.kernels, initrd) as ramdisk,
            receiving(self.kernels, modules or _nothing()) as archive,
        ):
            parts = (kernel, ramdisk, archive)
            new = _kernel(words, *parts, self._clock())

            def job(db: sqlite3.Connection, tell: Tell) -> Kernel:
                stored = self._refilled(catalogue.kernels(db), new) or catalogue.put_kernel(db, new)
                for part, name in zip(parts, _kernel_files(stored.id), strict=True):
                    if part.size:
                        os.replace(part.path, self.kernels / name)
                sync(self.kernels)
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


def _left_of(volumes: Sequence[GoldenVolume]) -> str:
    """What becomes of what was made of an image that is deleted."""
    if not volumes:
        return ""
    names = ", ".join(each.name for each in volumes)
    return f"; made of it and kept, golden no longer: {names}"


def _digests(of: Image | Kernel) -> tuple[str | None, ...]:
    return (of.stored_sha256,) if isinstance(of, Image) else (of.vmlinuz_sha256, of.initrd_sha256, of.modules_sha256)


def _same(found: Item, new: Item) -> bool:
    """Whether it is the content of ``found``. The modules of a kernel may come behind it."""
    known: tuple[str | None, ...] = _digests(found)
    return _digests(new) in (known, (*known[:2], None))


def _kernel_files(kernel: KernelId) -> tuple[str, str, str]:
    return f"{kernel}.vmlinuz", f"{kernel}.initrd", f"{kernel}.modules"


def _kernel(words: KernelWords, vmlinuz: Received, initrd: Received, modules: Received, now: float) -> Kernel:
    """Raises Invalid for what is no kernel for x86."""
    bzimage.check(vmlinuz.head)
    return Kernel(
        KernelId(0),
        words.name,
        words.version or bzimage.release(vmlinuz.head),
        words.cmdline,
        vmlinuz.sha256,
        initrd.sha256 if initrd.size else None,
        now,
        vmlinuz_bytes=vmlinuz.size,
        modules_sha256=modules.sha256 if modules.size else None,
        modules_bytes=modules.size,
        signed=bzimage.is_signed(vmlinuz.head),
        image=words.image,
        origin=words.origin,
    )


async def _nothing() -> AsyncIterator[bytes]:
    for nothing in list[bytes]():
        yield nothing


def check_new_image(name: str, description: str) -> None:
    """Raise Invalid for what no image can be called, or described by."""
    check_name(name)
    check_length(description, LONGEST_DESCRIPTION, "description")


def _linked(content: Path, place: Path) -> None:
    """Put a file there, too. Its own name stays until what is to name it is stored: a crash between loses nothing."""
    part = place.with_name(f"{place.name}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(content, part)
    except PermissionError:  # a file system without second names, such as FAT (link(2), EPERM)
        content.replace(part)
    part.replace(place)
    sync(place.parent)


def _image(name: str, description: str, found: Found, stored: int, sha256: str, now: float) -> Image:
    return Image(
        ImageId(0),
        name,
        description,
        cast("ImageFormat", found.format),
        found.size,
        stored,
        sha256,
        found.sector_size,
        now,
        found.architecture,
        found.distribution,
        found.firmware,
        found.holds,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _description(directory: Path) -> dict[str, Any]:
    try:
        described = decoded((directory / "image.json").read_bytes(), dict[str, Any])
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
async def receiving(directory: Path, chunks: AsyncIterator[bytes], expected: int = 0) -> AsyncIterator[Received]:
    """The stream in a file of ours, synced; the file is removed at the end unless it was renamed.

    Raises Invalid ``upload-cut-off``, ApplianceError ``upload-failed``, and what ``chunks`` raises.
    """
    received = Received(directory / f"{os.urandom(8).hex()}.part")
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


async def _take(received: Received, descriptor: int, chunks: AsyncIterator[bytes]) -> None:
    digest = hashlib.sha256()
    async for chunk in chunks:
        if len(received.head) < HEAD:
            received.head = (received.head + chunk)[:HEAD]
        received.size += len(chunk)
        await asyncio.to_thread(_write, descriptor, chunk, digest)
    await asyncio.to_thread(os.fsync, descriptor)
    received.sha256 = digest.hexdigest()


def _write(descriptor: int, chunk: bytes, digest: "hashlib._Hash") -> None:
    digest.update(chunk)
    append(descriptor, chunk)
