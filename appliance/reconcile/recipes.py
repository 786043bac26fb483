"""Images by recipes: which recipes there are, and the tasks that make images by them."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from appliance.accounts import Asker
from appliance.catalogue import LONGEST_DESCRIPTION, Image
from appliance.decoding import converted
from appliance.errors import Conflict, NotFound
from appliance.events import Bus, Event
from appliance.imageformat.found import Found
from appliance.intake import IMAGE_BUILD
from appliance.machine import check_length
from appliance.recipes.building import check_tools
from appliance.recipes.order import BUILDING, Order
from appliance.recipes.recipe import Recipe, check_packages
from appliance.recipes.shelf import Kept, Shelf
from appliance.reconcile import audit
from appliance.reconcile.fetching import Check, check_source
from appliance.reconcile.imports import Content
from appliance.reconcile.intake import Intake
from appliance.reconcile.intake_work import ImageWork, Stage, digest_of
from appliance.reconcile.jobs import JobKind, Running
from appliance.reconcile.recipe_build import SHARE, Builder, Place, made, sweep
from appliance.reconcile.record import Tell, record
from appliance.store import catalogue, tasks
from appliance.store.store import Store
from appliance.task import Task, TaskId

OWN = "recipes"
"""Directory in that of the state: recipes that users brought."""


class ImageOrder(msgspec.Struct, frozen=True):
    """An image that is wanted."""

    name: str
    recipe: str
    """Name of the recipe."""
    packages: tuple[str, ...] = ()
    """Besides those of the recipe."""
    description: str = ""
    disk: bool = False
    """A whole disk that starts by itself, and no root file system alone."""


class Recipes:
    """Methods that change something take ``by``, who asked."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        intake: Intake,
        shelf: Shelf,
        builder: Builder,
        proxy: str = "",
        check: Check = check_source,
        tools: Callable[[str, bool], Awaitable[None]] = check_tools,
    ) -> None:
        """``proxy``: HTTP proxy for packages; ``check`` says which mirrors are asked, ``tools`` whether what is needed
        for a keyring, and for a whole disk or not, is installed."""
        self._store, self._bus, self._clock, self._intake = store, bus, clock, intake
        self._shelf, self._builder, self._proxy = shelf, builder, proxy
        self._check, self._tools = check, tools

    async def all(self) -> list[Kept]:
        """By name."""
        return await asyncio.to_thread(self._shelf.all)

    async def one(self, name: str) -> Kept:
        """Raises NotFound ``recipe-unknown``."""
        return await asyncio.to_thread(self._shelf.one, name)

    async def keep(self, name: str, text: str, by: Asker) -> Kept:
        """Keep a recipe of a user's, in place of an older one. Raises as ``Shelf.put``, and Invalid ``url-refused``."""
        kept = await asyncio.to_thread(self._shelf.put, name, text)
        await self._note(by, "keep", name, f"{by} keeps recipe {name}", {"text": text})
        return kept

    async def remove(self, name: str, by: Asker) -> None:
        """Raises as ``Shelf.remove``."""
        await asyncio.to_thread(self._shelf.remove, name)
        await self._note(by, "delete", name, f"{by} removed recipe {name}")

    async def build(self, wanted: ImageOrder, by: Asker) -> Task:
        """Have an image made; the task that does it.

        Raises NotFound ``recipe-unknown``; Invalid ``recipe-invalid``, ``name-invalid``, ``url-refused``; Conflict
        ``recipe-no-disk``, ``name-taken``, ``upload-other``, ``upload-checked``; ApplianceError
        ``recipe-tools-missing``, ``mke2fs-old``.
        """
        check_length(wanted.description, LONGEST_DESCRIPTION, "description")
        recipe = await asyncio.to_thread(self._shelf.usable, wanted.recipe)
        await asyncio.to_thread(self._check_mirrors, recipe)
        if wanted.disk and not recipe.disk:
            text = f"no whole disk is made by recipe {wanted.recipe}: it names no kernel"
            hint = (
                'keep one of your own with the packages of a kernel, as disk = ["linux-image-amd64", "initramfs-tools"]'
            )
            raise Conflict("recipe-no-disk", text, hint, "disk")
        await self._tools(recipe.keyring, wanted.disk)
        order = Order(recipe, check_packages(wanted.packages), self._proxy, wanted.disk)
        arguments = {"order": msgspec.to_builtins(order), "description": wanted.description or recipe.title}
        return await self._intake.build(wanted.name, by, arguments | {"recipe": wanted.recipe})

    def _check_mirrors(self, recipe: Recipe) -> None:
        for source in recipe.sources:
            self._check(source.address)

    async def _note(self, by: Asker, action: str, name: str, text: str, after: dict[str, Any] | None = None) -> None:
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            audit.note(db, by, f"recipe.{action}", ("recipe", name, name), None, after, now=now)
            tell(Event("recipe.changed", now, text))

        await record(self._store, self._bus, job)

    # -- the tasks

    def jobs(self) -> dict[str, JobKind]:
        """Begun anew after the daemon ended in the middle: packages are newer by then, and half a tree is of no use."""
        return {IMAGE_BUILD: JobKind(self._job, resumes=True)}

    async def _job(self, running: Running) -> dict[str, Any]:
        arguments, imports = running.task.arguments, self._intake.imports
        name, by = str(arguments["name"]), converted(arguments["by"], Asker)
        if (done := await self._listed_before(running, name)) is not None:
            return _brought(done)
        directory = imports.images.parent.joinpath(*BUILDING)
        going = {_place(task.id) for task in await self._store.read(tasks.open_jobs)}
        await asyncio.to_thread(sweep, directory, going)
        place = Place(directory / _place(running.task.id))

        async def list_it(found: Found, content: Content) -> Image:
            return await imports.list_image(name, str(arguments["description"]), found, content, by)

        order = converted(arguments["order"], Order)
        async with place.holding(order):
            path = await made(self._builder, place, running)
            sha256 = await digest_of(path, Stage(running, SHARE, 0.95, "adding it up"))
            work = ImageWork(imports, running)
            image = await list_it(await work.look(path, order.format), Content(path, sha256))
        await running.say(f"{image.name}: {image.format}, {image.size} bytes, SHA-256 {image.stored_sha256}")
        return _brought(image)

    async def _listed_before(self, running: Running, name: str) -> Image | None:
        """What a daemon that was killed had brought to its end but for the last step; None where it had not."""
        try:
            found = await self._store.read(lambda db: catalogue.image(db, name))
        except NotFound:
            return None
        older = found.name != name or found.created < running.task.created
        return None if older or self._intake.imports.lacks(found) else found


def _place(task: TaskId) -> str:
    return f"{int(task):016x}"


def _brought(image: Image) -> dict[str, Any]:
    """The result of the task."""
    size, sha256 = image.size, image.stored_sha256
    return {"image": image.id, "name": image.name, "format": image.format, "size": size, "sha256": sha256}
