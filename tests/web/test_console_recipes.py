"""Recipes in the console and the API: seen, brought, made images by, removed; and what is wrong beside its field."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor
from web_world import World

from appliance.recipes.shelf import OURS
from appliance.store import tasks
from tests.programs_of_debian_13 import first_in_path

MINE = (OURS / "debian-13.toml").read_text().replace("Debian 13 (trixie)", "Web server")


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first_in_path(monkeypatch, tmp_path)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_a_recipe_is_brought_used_and_removed(fleet: Visitor) -> None:
    page = said(await fleet.get("/recipes"))
    assert "debian-13" in page
    assert "ubuntu-2404" in page
    assert await fleet.post("/recipes/new", data={"name": "web", "text": MINE.replace("\n", "\r\n")}) == "/recipes/web"
    assert "Web server" in said(await fleet.get("/recipes/web"))
    assert "Web server" in await fleet.get("/images/make/new?recipe=web")
    where = await fleet.post(
        "/images/make/new", data={"recipe": "web", "name": "web-1", "packages": "nginx, curl", "description": ""}
    )
    (task,) = [each for each in await fleet.services.store.read(tasks.open_jobs) if each.kind == "image.build"]
    assert (where, task.title) == (f"/tasks/{task.id}", "Make image web-1")
    assert task.arguments["order"]["packages"] == ["nginx", "curl"]
    assert task.arguments["order"]["disk"] is False
    page = await fleet.get("/images/make/new?recipe=web&disk=yes")
    assert '<option value="yes" selected>A whole disk' in page
    await fleet.post("/images/make/new", data={"recipe": "web", "name": "web-disk", "disk": "yes"})
    (disk,) = [each for each in await fleet.services.store.read(tasks.open_jobs) if each.title.endswith("web-disk")]
    assert disk.arguments["order"]["disk"] is True
    refused = await fleet.post("/images/make/new", 409, {"recipe": "ubuntu-2404", "name": "noble", "disk": "yes"})
    assert "names no kernel" in said(refused)
    assert "Not possible" not in await fleet.get("/recipes/web/delete")
    assert "web" in await fleet.post("/recipes/web/delete", 422, {"confirm": "wbe"})
    assert await fleet.post("/recipes/web/delete", data={"confirm": "web"}) == "/recipes"
    await fleet.get("/recipes/web", 404)


async def test_what_is_wrong_with_a_recipe_is_told_with_its_field_and_nothing_typed_is_lost(fleet: Visitor) -> None:
    wrong = MINE.replace('keyring = "debian"', 'keyring = "mine"')
    page = await fleet.post("/recipes/new", 422, {"name": "web", "text": wrong})
    assert "in the recipe, keyring" in said(page)
    assert "mine" in page
    assert "came with the appliance" in said(await fleet.post("/recipes/new", 409, {"name": "debian-13", "text": MINE}))


async def test_one_that_came_along_is_not_removed(fleet: Visitor) -> None:
    assert "Not possible" in said(await fleet.get("/recipes/debian-13/delete"))
    await fleet.post("/recipes/debian-13/delete", 409, {"confirm": "debian-13"})


async def test_programs_have_the_same(admin: World) -> None:
    listed = (await admin.api("GET", "/recipes"))["items"]
    assert [each["name"] for each in listed] == ["debian-12", "debian-13", "ubuntu-2204", "ubuntu-2404"]
    assert {each["keyring"] for each in listed} == {"debian", "ubuntu"}
    assert ["linux-image-amd64" in each["disk"] for each in listed] == [True, True, False, False]
    wrong = await admin.api(
        "PUT", "/recipes/web", 422, json={"text": MINE.replace('suite = "trixie"', 'suite = "Trixie"')}
    )
    assert wrong["code"] == "recipe-invalid"
    kept = await admin.api("PUT", "/recipes/web", json={"text": MINE})
    assert (kept["title"], kept["builtin"], kept["text"]) == ("Web server", False, MINE)
    assert await admin.api("GET", "/recipes/web") == kept
    asked = {"name": "web-1", "recipe": "web", "packages": ["nginx"]}
    assert (await admin.api("POST", "/images/build", 422, json=asked | {"packages": ["a b"]}))["field"] == "packages"
    assert (await admin.api("POST", "/images/build", 404, json=asked | {"recipe": "other"}))["code"] == "recipe-unknown"
    no_kernel = asked | {"recipe": "ubuntu-2404", "disk": True}
    assert (await admin.api("POST", "/images/build", 409, json=no_kernel))["code"] == "recipe-no-disk"
    task = await admin.api("POST", "/images/build", 202, json=asked)
    assert (task["kind"], task["status"]) == ("image.build", "waiting")
    assert (await admin.api("POST", "/images/build", 409, json=asked))["code"] == "upload-checked"
    assert (await admin.api("DELETE", "/recipes/debian-13", 409))["code"] == "recipe-builtin"
    await admin.api("DELETE", "/recipes/web", 204)
    await admin.api("GET", "/recipes/web", 404)
