"""Recipes of images, and images by them, for programs."""

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web

from appliance.recipes.building import missing
from appliance.recipes.recipe import LARGEST
from appliance.recipes.shelf import Kept
from appliance.reconcile.recipes import ImageOrder, Recipes
from appliance.web.api import tasks
from appliance.web.api.body import answer, body, key
from appliance.web.api.shapes import Items
from appliance.web.keys import USER

Line = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=4000)]

RECIPES = web.AppKey("recipes", Recipes)
"""``request.app[RECIPES]``."""


class RecipeIn(msgspec.Struct, forbid_unknown_fields=True):
    """A recipe that is to be kept."""

    text: Annotated[str, msgspec.Meta(max_length=LARGEST)]
    """TOML, as CONTRIBUTING describes it."""


class ImageOrderIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An image that is to be made."""

    name: Line
    recipe: Line
    """Name of the recipe."""
    packages: Annotated[list[Line], msgspec.Meta(max_length=1000)] = []
    """Besides those of the recipe, as its release names them."""
    description: Text = ""
    """What is in it; the recipe's title when left out."""
    disk: bool = False
    """A whole disk that starts by itself (``raw.zst``), and no root file system alone (``squashfs``)."""


class RecipeOut(msgspec.Struct, kw_only=True):
    """What images can be made of."""

    name: str
    title: str
    """Empty where it cannot be read."""
    suite: str
    """The release, as its archive calls it."""
    keyring: str
    """Whose signatures are believed: ``debian`` or ``ubuntu``."""
    packages: list[str]
    disk: list[str]
    """Packages that a whole disk has besides; empty: none is made by it."""
    builtin: bool
    """It came with the appliance, and cannot be changed nor removed."""
    text: str
    """The recipe itself, TOML."""
    trouble: str
    """Why this version cannot read it; empty where it can."""
    lacking: str
    """Packages that are not installed on the appliance, and without which no image can be made by it; empty: none."""
    lacking_for_disks: str
    """The same for whole disks."""


def _out(of: Kept) -> RecipeOut:
    """Blocks: looks for programs."""
    recipe = of.recipe
    return RecipeOut(
        name=of.name,
        title=recipe.title if recipe else "",
        suite=recipe.suite if recipe else "",
        keyring=recipe.keyring if recipe else "",
        packages=list(recipe.packages) if recipe else [],
        disk=list(recipe.disk) if recipe else [],
        builtin=of.builtin,
        text=of.text,
        trouble=of.trouble,
        lacking=missing(recipe.keyring) if recipe else "",
        lacking_for_disks=missing(recipe.keyring, whole_disk=True) if recipe else "",
    )


async def index(request: web.Request) -> web.Response:
    """Recipes that images can be made by."""
    found = await request.app[RECIPES].all()
    return answer(Items(await asyncio.to_thread(lambda: [_out(each) for each in found])))


async def show(request: web.Request) -> web.Response:
    """One recipe."""
    return answer(await asyncio.to_thread(_out, await request.app[RECIPES].one(key(request))))


async def keep(request: web.Request) -> web.Response:
    """Keep a recipe under this name, in place of an older one of yours."""
    sent = await body(request, RecipeIn)
    kept = await request.app[RECIPES].keep(key(request), sent.text, request[USER])
    return answer(await asyncio.to_thread(_out, kept))


async def remove(request: web.Request) -> web.Response:
    """Remove a recipe; images that were made by it stay."""
    await request.app[RECIPES].remove(key(request), request[USER])
    return web.Response(status=204)


async def build(request: web.Request) -> web.Response:
    """Make an image by a recipe; the answer is the task that does it."""
    sent = await body(request, ImageOrderIn)
    wanted = ImageOrder(sent.name, sent.recipe, tuple(sent.packages), sent.description, sent.disk)
    task = await request.app[RECIPES].build(wanted, request[USER])
    return await tasks.shown(request, str(task.id))
