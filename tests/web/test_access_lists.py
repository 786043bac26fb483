"""Users, tokens and log-ins as lists: filters, order, pages, and who may see whose."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from access_world import Person, log_in, person, token
from console_client import Visitor, said, visitor
from web_world import World

from appliance.web.auth import IDLE_END


@pytest.fixture
async def ada(admin: World) -> Person:
    return await log_in(admin)


async def names(of: Person, path: str, field: str = "name") -> list[Any]:
    return [each[field] for each in (await of.api("GET", path))["items"]]


async def test_users_are_filtered_and_sorted(admin: World, ada: Person) -> None:
    for name, role in (("eva", "operator"), ("evan", "viewer"), ("bob", "viewer")):
        await person(admin, ada, role, name)
    await ada.api("PATCH", "/users/bob", json={"disabled": True})
    for path, found in (
        ("/users", ["admin", "bob", "eva", "evan"]),
        ("/users?q=EVA", ["eva", "evan"]),
        ("/users?role=viewer&role=admin&sort=-name", ["evan", "bob", "admin"]),
        ("/users?disabled=true", ["bob"]),
        ("/users?disabled=false&sort=role", ["admin", "eva", "evan"]),
    ):
        assert await names(ada, path) == found, path
    refused = await ada.api("GET", "/users?role=root", 422)
    assert (refused["code"], refused["hint"]) == ("query-invalid", "use one of admin, operator, viewer")


@pytest.mark.parametrize("sort", ["name", "-role", "created", "-last_log_in"])
async def test_pages_follow_each_other(admin: World, ada: Person, sort: str) -> None:
    for number in range(5):
        await ada.api("POST", "/users", 201, json={"name": f"user-{number}", "password": "a long password here"})
    seen, cursor = list[str](), ""
    while cursor is not None:
        page = await ada.api("GET", f"/users?limit=2&sort={sort}&cursor={cursor}")
        seen, cursor = [*seen, *(each["name"] for each in page["items"])], page["next"]
        assert page["total"] == 6
    assert seen == await names(ada, f"/users?sort={sort}")
    assert len(seen) == 6


async def test_tokens_are_filtered_and_sorted(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "operator", "bob")
    await token(ada, "viewer", "nightly", days=1)
    await token(ada, "admin", "forever", days=None)
    await token(bob, "operator", "deploy", days=30)
    admin.clock.now += 2 * 86400
    ada = await log_in(admin)
    for path, found in (
        ("/tokens", ["forever", "nightly"]),
        ("/tokens?everybody=true", ["deploy", "forever", "nightly"]),
        ("/tokens?everybody=true&user=bob", ["deploy"]),
        ("/tokens?user=bob", ["deploy"]),
        ("/tokens?expired=true", ["nightly"]),
        ("/tokens?everybody=true&expired=false&sort=expires", ["deploy", "forever"]),
        ("/tokens?everybody=true&scope=operator&scope=viewer", ["deploy", "nightly"]),
        ("/tokens?everybody=true&q=bob", ["deploy"]),
    ):
        assert await names(ada, path) == found, path


@pytest.mark.parametrize("noun", ["tokens", "sessions"])
async def test_others_see_their_own_only(admin: World, ada: Person, noun: str) -> None:
    bob = await person(admin, ada, "operator", "bob")
    await token(ada, "viewer", "hers")
    await token(bob, "viewer", "his")
    for path in (f"/{noun}", f"/{noun}?user=bob", f"/{noun}?everybody=false", f"/{noun}?q=a&sort=-created"):
        assert set(await names(bob, path, "user")) <= {"bob"}, path
    assert await names(bob, f"/{noun}", "user") == ["bob"]
    for path in (f"/{noun}?everybody=true", f"/{noun}?user=admin", f"/{noun}?everybody=true&user=bob"):
        assert (await bob.api("GET", path, 403))["code"] == "role-missing", path


async def test_a_cursor_of_everybody_s_list_shows_others_nothing(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "viewer", "bob")
    for name in ("a", "b", "c"):
        await token(ada, "viewer", name)
    cursor = (await ada.api("GET", "/tokens?everybody=true&limit=1"))["next"]
    assert (await bob.api("GET", f"/tokens?limit=1&cursor={cursor}", 400))["code"] == "cursor-invalid"


async def test_log_ins_are_filtered_and_those_that_ended_are_none(admin: World, ada: Person) -> None:
    await person(admin, ada, "viewer", "bob")
    admin.clock.now += IDLE_END - 10
    ada = await log_in(admin)
    shown = await ada.api("GET", "/sessions?everybody=true&sort=used")
    assert (len(shown["items"]), shown["total"]) == (4, 4)
    assert await names(ada, "/sessions?everybody=true&q=bob%20127.0.0.1", "user") == ["bob"]
    assert await names(ada, "/sessions?user=bob", "user") == ["bob"]
    admin.clock.now += 20
    assert await names(ada, "/sessions?everybody=true", "current") == [True]


@pytest.fixture
async def seen(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_the_console_filters_them_too(seen: Visitor) -> None:
    made = {"role": "operator", "password": "a long password here", "again": "a long password here"}
    for name in ("carl", "carla"):
        await seen.post("/settings/users/new", data={"name": name, **made})
    page = await seen.get("/settings/users?q=carl&role=operator&disabled=false&sort=name&dir=desc")
    assert page.index('id="user-carla"') < page.index('id="user-carl"')
    assert "2 users" in said(page)
    assert '<option value="operator" selected>' in page
    assert "No user matches" in said(await seen.get("/settings/users?q=carl&role=viewer"))
    assert "No token matches" in said(await seen.get("/settings/tokens?q=nothing-is-called-so&scope=admin"))
    assert "No log-in matches" in said(await seen.get("/settings/log-ins?q=nothing-is-called-so"))
    assert 'aria-sort="ascending"' in await seen.get("/settings/log-ins?sort=user")
