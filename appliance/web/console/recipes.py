"""Recipes, and images by them."""

import asyncio

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.recipes.building import missing
from appliance.reconcile.recipes import ImageOrder
from appliance.task import Task
from appliance.web.api.recipes import RECIPES
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.problem import status_of

LONGEST_PACKAGES = 4000
FIELDS = ("recipe", "disk", "name", "packages", "description")


async def index(request: web.Request) -> web.Response:
    """GET /recipes"""
    found = await request.app[RECIPES].all()
    rings = {each.recipe.keyring for each in found if each.recipe}
    lacking = await asyncio.to_thread(lambda: {ring: missing(ring) for ring in rings})
    for_disks = await asyncio.to_thread(lambda: {ring: missing(ring, whole_disk=True) for ring in rings})
    return render(request, "recipes.html", recipes=found, lacking=lacking, lacking_for_disks=for_disks)


async def show(request: web.Request) -> web.Response:
    """GET /recipes/{key}"""
    return render(request, "recipe.html", kept=await request.app[RECIPES].one(request.match_info["key"]))


async def form(request: web.Request) -> web.Response:
    """GET /recipes/new, with ``from``: one that it begins with."""
    name = request.query.get("from", "debian-13")
    kept = await request.app[RECIPES].one(name)
    typed = {"name": "" if kept.builtin else kept.name, "text": kept.text}
    return render(request, "recipe_new.html", typed=typed, error=None)


async def keep(request: web.Request) -> web.Response:
    """POST /recipes/new with ``name`` and ``text``."""
    sent = await fields(request)
    typed = {"name": text(sent, "name").strip(), "text": text(sent, "text").replace("\r\n", "\n")}
    try:
        kept = await request.app[RECIPES].keep(typed["name"], typed["text"], who(request))
    except (Invalid, Conflict) as error:
        shown = error if error.field == "name" else _at(error, "text")
        return render(request, "recipe_new.html", status=status_of(error), typed=typed, error=shown)
    return see_other(f"/recipes/{kept.name}")


def _at(error: ApplianceError, field: str) -> ApplianceError:
    """At the one field that the page has for all those of a recipe."""
    return ApplianceError(error.code, error.message, error.hint, field)


async def ask_delete(request: web.Request) -> web.Response:
    """GET /recipes/{key}/delete"""
    return await _delete_page(request)


async def delete(request: web.Request) -> web.Response:
    """POST /recipes/{key}/delete with its name typed."""
    kept = await request.app[RECIPES].one(request.match_info["key"])
    if wrong := await confirmed(request, kept.name):
        return await _delete_page(request, wrong)
    await request.app[RECIPES].remove(kept.name, who(request))
    return see_other("/recipes")


async def _delete_page(request: web.Request, wrong: ApplianceError | None = None) -> web.Response:
    kept = await request.app[RECIPES].one(request.match_info["key"])
    return confirm_page(
        request,
        title=f"Remove recipe {kept.name}",
        texts=("Images that were made by it stay.",),
        confirm=kept.name,
        button=f"Remove {kept.name}",
        back=f"/recipes/{kept.name}",
        refused="it came with the appliance" if kept.builtin else "",
        wrong=wrong,
    )


async def order_form(request: web.Request) -> web.Response:
    """GET /images/make/new, with ``recipe`` and ``disk``: what is chosen already."""
    chosen = {"recipe": request.query.get("recipe", "debian-13"), "disk": request.query.get("disk", "")}
    typed = dict.fromkeys(FIELDS, "") | chosen
    return await _order_page(request, typed)


async def order(request: web.Request) -> web.Response:
    """POST /images/make/new with FIELDS; ``disk`` is "yes" for a whole disk."""
    sent = await fields(request)
    typed = {name: text(sent, name).strip() for name in FIELDS}
    try:
        task = await _asked(request, typed)
    except NotFound as error:
        return await _order_page(request, typed, Invalid(error.code, error.message, "choose one of these", "recipe"))
    except ApplianceError as error:
        return await _order_page(request, typed, error)
    return see_other(f"/tasks/{task.id}")


async def _asked(request: web.Request, typed: dict[str, str]) -> Task:
    if len(typed["packages"]) > LONGEST_PACKAGES:
        text = f"more than {LONGEST_PACKAGES} characters of packages are named"
        raise Invalid("text-long", text, "keep a recipe of your own with them", "packages")
    packages = tuple(typed["packages"].replace(",", " ").split())
    wanted = ImageOrder(typed["name"], typed["recipe"], packages, typed["description"], typed["disk"] == "yes")
    return await request.app[RECIPES].build(wanted, who(request))


async def _order_page(request: web.Request, typed: dict[str, str], error: ApplianceError | None = None) -> web.Response:
    found = [each for each in await request.app[RECIPES].all() if each.recipe is not None]
    status = status_of(error) if error else 200
    return render(request, "image_make.html", status=status, recipes=found, typed=typed, error=error)
