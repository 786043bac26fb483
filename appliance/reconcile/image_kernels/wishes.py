"""Kernels out of images: asked for, and the task that takes one out and lists it."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec

from appliance.accounts import Asker
from appliance.catalogue import Image, Kernel, KernelWords
from appliance.decoding import converted
from appliance.errors import Conflict, NotFound
from appliance.events import Bus
from appliance.imageformat.kernels import KernelFiles, kernels_in
from appliance.intake import KERNEL_EXTRACT
from appliance.machine import check_name
from appliance.reconcile import audit
from appliance.reconcile.image_kernels import source, taking
from appliance.reconcile.image_kernels.taking import Taken
from appliance.reconcile.imports import Imports
from appliance.reconcile.intake_work import Share, Stage
from appliance.reconcile.jobs import JobKind, Running, open_job
from appliance.reconcile.record import Tell, record
from appliance.store import catalogue, tasks
from appliance.store.store import Store
from appliance.task import Task

PIECE = 1 << 20
_PROCESSORS = ("", "amd64", "i386")
"""For which the maintenance stack is made, so that roots on the network are."""


class ImageKernels:
    """Takes kernels out of images; methods take ``by``, who asked."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], imports: Imports) -> None:
        self._store, self._bus, self._clock, self._imports = store, bus, clock, imports

    async def extract(self, image: str, version: str, name: str, by: Asker) -> Task:
        """Take the kernel of a version out of an image, the newest for an empty one; the task that does it.

        ``name`` is what it is to be called; empty: after the image and its version. The same wish while it is carried
        out gives the same task. Raises NotFound, Invalid; Conflict ``image-missing``, ``image-processor``,
        ``name-taken``.
        """
        taking.check_version(version)
        if name:
            await self._imports.check_free("kernel", check_name(name))

        def job(db: sqlite3.Connection, tell: Tell) -> Task:
            of = catalogue.image(db, image)
            self._check(of)
            arguments = {"image": of.id, "version": version, "name": name, "by": msgspec.to_builtins(by)}
            asked = {key: value for key, value in arguments.items() if key != "by"}
            for task in tasks.open_jobs(db):
                if task.kind == KERNEL_EXTRACT and asked.items() <= task.arguments.items():
                    return task
            now = self._clock()
            audit.note(db, by, KERNEL_EXTRACT, ("image", of.id, of.name), None, asked, now=now)
            return open_job(db, tell, KERNEL_EXTRACT, f"Take a kernel out of image {of.name}", by, now, arguments)

        return await record(self._store, self._bus, job)

    def _check(self, image: Image) -> None:
        if self._imports.lacks(image):
            text = f"the content of image {image.name} is not on the appliance"
            raise Conflict("image-missing", text, "upload it again, then try it again", "image")
        if image.architecture not in _PROCESSORS:
            text = f"image {image.name} is for {image.architecture}, and roots on the network are for amd64 only"
            raise Conflict("image-processor", text, "choose another image", "image")

    def kinds(self) -> dict[str, JobKind]:
        """It is begun anew after the daemon ended in its middle."""
        return {KERNEL_EXTRACT: JobKind(self._extract, resumes=True)}

    async def _extract(self, running: Running) -> dict[str, Any]:
        arguments = running.task.arguments
        image = await self._store.read(lambda db: catalogue.image(db, arguments["image"]))
        if (done := await self._listed_before(running, image)) is not None:
            return _brought(done)
        self._check(image)
        scratch = self._imports.kernels / f"{token_hex(8)}.part"
        path, share = self._imports.image_path(image.id), Share(1.0)
        stage = Stage(running, 0.0, 0.95, "reading the image")
        version = str(arguments["version"])
        work = asyncio.to_thread(_taken, image, path, scratch, version, share.told)
        found, kernel = await stage.attend(work, share)
        await running.say(f"in image {image.name}: {', '.join(each.version for each in found)}")
        for note in kernel.notes:
            await running.say(note)
        await self._remember(image, found)
        name = str(arguments["name"]) or default_name(image.name, kernel.version)
        by = converted(arguments["by"], Asker)
        words = KernelWords(name, kernel.version, image=image.id, origin=image.name)
        parts = (_pieces(kernel.vmlinuz), _pieces(kernel.initrd), by, _pieces(kernel.modules))
        return _brought(await self._imports.add_kernel(words, *parts))

    async def _listed_before(self, running: Running, image: Image) -> Kernel | None:
        """What a daemon that was killed had brought to its end but for the last step."""
        created, wanted = running.task.created, running.task.arguments
        present = await self._store.read(catalogue.kernels)
        return next(
            (
                each
                for each in present
                if each.image == image.id and each.created >= created
                and wanted["version"] in ("", each.version) and wanted["name"] in ("", each.name)
            ),
            None,
        )  # fmt: skip

    async def _remember(self, image: Image, found: list[KernelFiles]) -> None:
        """Which kernels are in it, for whoever looks at it later."""
        versions = tuple(each.version for each in found)

        def job(db: sqlite3.Connection) -> None:
            try:
                present = catalogue.image(db, image.id)
            except NotFound:  # deleted meanwhile; what was taken out of it stays good
                return
            catalogue.change_image(db, replace(present, kernels=versions))

        await self._store.write(job)


def _taken(image: Image, path: Path, scratch: Path, version: str, told: source.Told) -> tuple[list[KernelFiles], Taken]:
    """All kernels that are there, and the one that is wanted; blocks."""
    with source.opened(image, path, scratch, lambda at: told(at * 0.4)) as there:
        found = kernels_in(there.names)
        kernel = taking.chosen(found, version, image.name)
        return found, taking.taken(there, kernel, lambda at: told(0.4 + at * 0.6))


def default_name(image: str, version: str) -> str:
    """What a kernel is called where nobody says."""
    return re.sub(r"[^a-z0-9]+", "-", f"{image}-{version}".lower())[:63].strip("-")


def _brought(kernel: Kernel) -> dict[str, Any]:
    """The result of the task."""
    return {"kernel": kernel.id, "name": kernel.name, "version": kernel.version, "sha256": kernel.vmlinuz_sha256}


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), PIECE):
        yield content[at : at + PIECE]
