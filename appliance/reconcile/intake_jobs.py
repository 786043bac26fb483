"""The tasks that bring images, kernels and modules in: fetched where it is to be, compared, looked at, listed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance.accounts import Asker
from appliance.catalogue import Image, Kernel, KernelWords
from appliance.decoding import converted
from appliance.errors import Conflict, Invalid, NotFound
from appliance.half_upload import Half, removed
from appliance.imageformat.found import Found
from appliance.intake import (
    IMAGE_ADD,
    IMAGE_FETCH,
    KERNEL_ADD,
    MODULES_ADD,
    MODULES_FETCH,
    ImageWish,
    KernelWish,
    ModulesWish,
    Place,
    place_of,
)
from appliance.reconcile.fetch_image import Checks, Fetch
from appliance.reconcile.half_file import HalfFile
from appliance.reconcile.image_kernels.brought import pieces
from appliance.reconcile.imports import Content
from appliance.reconcile.intake import Intake
from appliance.reconcile.intake_work import ImageWork, Share, Stage, digest_of
from appliance.reconcile.jobs import JobKind, Running
from appliance.store import catalogue

CHUNK = 1 << 20


class IntakeJobs:
    """Does the jobs of an ``Intake``."""

    def __init__(self, intake: Intake, clock: Callable[[], float], checks: Checks | None = None) -> None:
        """``checks`` says which addresses are asked; None: all but the appliance itself."""
        self._intake, self._clock, self._checks = intake, clock, checks or Checks()

    def kinds(self) -> dict[str, JobKind]:
        """All of them go on after the daemon ended in their middle."""
        return {
            IMAGE_FETCH: JobKind(self._fetch, resumes=True, waits=True),
            IMAGE_ADD: JobKind(self._add_image, resumes=True),
            KERNEL_ADD: JobKind(self._add_kernel, resumes=True),
            MODULES_ADD: JobKind(self._add_modules, resumes=True),
            MODULES_FETCH: JobKind(self._fetch_modules, resumes=True, waits=True),
            **self._intake.kernels.kinds(),
        }

    async def _fetch(self, running: Running) -> dict[str, Any]:
        arguments = running.task.arguments
        wish = converted(arguments["wish"], ImageWish)
        if (done := await self._listed_before(running, place_of(wish))) is not None:
            return done
        file = self._intake.file(place_of(wish))
        half = await Fetch(file, wish, str(arguments["sha256"]), running, self._checks).run(self._clock)
        return await self._image(running, file, half, wish)

    async def _add_image(self, running: Running) -> dict[str, Any]:
        place = Place("image", str(running.task.arguments["name"]))
        if (done := await self._listed_before(running, place)) is not None:
            return done
        file, half = await self._here(place)
        if not isinstance(half.becomes, ImageWish):
            raise removed()
        return await self._image(running, file, half, half.becomes)

    async def _listed_before(self, running: Running, place: Place) -> dict[str, Any] | None:
        """What a daemon that was killed had brought to its end but for the last step; None where it had not."""
        find = catalogue.image if place.kind == "image" else catalogue.kernel
        try:
            found: Image | Kernel = await running.store.read(lambda db: find(db, place.name))
        except NotFound:
            return None
        file = self._intake.file(place)
        half = await asyncio.to_thread(file.found)
        not_whole = half is not None and half[1] < half[0].of.size
        older = found.name != place.name or found.created < running.task.created
        if older or not_whole or self._intake.imports.lacks(found):
            return None
        await asyncio.to_thread(file.forget)
        return _brought(found)

    async def _here(self, place: Place) -> tuple[HalfFile, Half]:
        """A file that is whole; raises Conflict ``upload-unknown``."""
        file = self._intake.file(place)
        known = await asyncio.to_thread(file.found)
        if known is None or known[1] != known[0].of.size:
            raise removed()
        return file, known[0]

    async def _image(self, running: Running, file: HalfFile, half: Half, wish: ImageWish) -> dict[str, Any]:
        path = await asyncio.to_thread(file.place)
        if path is None:
            raise removed()
        sha256 = await digest_of(path, Stage(running, 0.0 if not wish.url else 0.4, 0.4, "comparing its checksum"))
        await asyncio.to_thread(file.compare, half, sha256)
        work, imports = ImageWork(self._intake.imports, running), self._intake.imports
        by = _asker(running)

        async def list_it(found: Found, content: Content) -> Image:
            return await imports.list_image(wish.name, wish.description, found, content, by)

        try:
            image = await work.listed(await work.look(path, wish.format), Content(path, sha256), list_it)
        except Invalid:
            await asyncio.to_thread(file.forget)  # nothing would ever come of it
            raise
        await asyncio.to_thread(file.forget)
        await running.say(f"{image.name}: {image.format}, {image.size} bytes, SHA-256 {image.stored_sha256}")
        return _brought(image)

    async def _add_kernel(self, running: Running) -> dict[str, Any]:
        place = Place("kernel", str(running.task.arguments["name"]))
        if (done := await self._listed_before(running, place)) is not None:
            return done
        file, half = await self._here(place)
        path, wish = await asyncio.to_thread(file.place), half.becomes
        if path is None or not isinstance(wish, KernelWish):
            raise removed()
        await asyncio.to_thread(file.check_digest, half)
        border = half.of.size - wish.initrd_size
        vmlinuz, initrd, modules = _part(path, 0, border), _part(path, border, half.of.size), None
        words, share = KernelWords(wish.name, wish.version, wish.cmdline), Share(1.0)
        stage = Stage(running, 0.1, 0.9, "looking at what it is")
        try:
            package = asyncio.to_thread(self._intake.modules.package, path, share.told)
            if (found := await stage.attend(package, share)) is not None:
                words = replace(words, version=wish.version or found.version)
                vmlinuz, modules = pieces(found.vmlinuz), pieces(found.modules)
                for note in found.notes:
                    await running.say(note)
            kernel = await self._intake.imports.add_kernel(words, vmlinuz, initrd, _asker(running), modules)
        except Invalid:
            await asyncio.to_thread(file.forget)  # nothing would ever come of it
            raise
        await asyncio.to_thread(file.forget)
        return _brought(kernel)

    async def _fetch_modules(self, running: Running) -> dict[str, Any]:
        arguments = running.task.arguments
        wish = converted(arguments["wish"], ModulesWish)
        if (done := await self._given_before(running, place_of(wish))) is not None:
            return done
        file = self._intake.file(place_of(wish))
        await Fetch(file, wish, str(arguments["sha256"]), running, self._checks).run(self._clock)
        return await self._give_modules(running, place_of(wish))

    async def _add_modules(self, running: Running) -> dict[str, Any]:
        place = Place("modules", str(running.task.arguments["name"]))
        if (done := await self._given_before(running, place)) is not None:
            return done
        return await self._give_modules(running, place)

    async def _given_before(self, running: Running, place: Place) -> dict[str, Any] | None:
        """As ``_listed_before``: a file that is gone was used, since nothing else removes it while a task goes on."""
        if running.task.progress == 0.0 or await asyncio.to_thread(self._intake.file(place).found) is not None:
            return None
        kernel = await running.store.read(lambda db: catalogue.kernel(db, place.name))
        return None if kernel.modules_sha256 is None else _brought(kernel)

    async def _give_modules(self, running: Running, place: Place) -> dict[str, Any]:
        file, half = await self._here(place)
        path, share = await asyncio.to_thread(file.place), Share(1.0)
        if path is None:
            raise removed()
        await asyncio.to_thread(file.check_digest, half)
        modules = self._intake.modules
        try:
            kernel = await modules.check(place.name)
            stage = Stage(running, 0.4, 0.95, "reading the modules")
            found = await stage.attend(asyncio.to_thread(modules.taken, kernel, path, share.told), share)
            kernel = await modules.give(kernel, found, _asker(running))
        except (Invalid, NotFound, Conflict):
            await asyncio.to_thread(file.forget)  # nothing would ever come of it
            raise
        await asyncio.to_thread(file.forget)
        for note in found.notes:
            await running.say(note)
        return _brought(kernel)


def _asker(running: Running) -> Asker:
    return converted(running.task.arguments["by"], Asker)


def _brought(what: Image | Kernel) -> dict[str, Any]:
    """The result of the task."""
    if isinstance(what, Kernel):
        return {"kernel": what.id, "name": what.name, "sha256": what.vmlinuz_sha256}
    size, sha256 = what.size, what.stored_sha256
    return {"image": what.id, "name": what.name, "format": what.format, "size": size, "sha256": sha256}


async def _part(path: Path, first: int, end: int) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        file.seek(first)
        while first < end and (chunk := await asyncio.to_thread(file.read, min(CHUNK, end - first))):
            first += len(chunk)
            yield chunk
