"""The pages of set-up, log-in and log-out."""

import re
from pathlib import Path

from console_client import PASSWORD, Visitor, said, visitor
from console_seed import NOW

from appliance.web.auth import COOKIE
from appliance.web.setup import prepare_setup


async def link(stranger: Visitor) -> str:
    found = await prepare_setup(stranger.services.store, stranger.services.state_dir, NOW)
    assert found is not None
    return found


async def test_the_first_administrator_is_made_by_the_link(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False, user=False) as stranger:
        address = await link(stranger)
        page = await stranger.get(address)
        assert "5F:5F:" in said(page)
        token = address.partition("token=")[2]
        form = {"token": token, "name": "ada", "password": PASSWORD, "again": PASSWORD + "x"}
        page = await stranger.post("/setup", 422, form)
        assert "The two passwords differ" in said(page)
        assert 'value="ada"' in page
        assert PASSWORD not in page
        page = await stranger.post("/setup", 422, {**form, "password": "short", "again": "short"})
        assert 'id="password-error"' in page
        assert await stranger.post("/setup", data={**form, "again": PASSWORD}) == "/"
        assert "set up already" in said(await stranger.get(address, 409))


async def test_a_wrong_link_says_where_the_right_one_is(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False, user=False) as stranger:
        await link(stranger)
        page = said(await stranger.get("/setup?token=00", 403))
        assert "not the present one" in page
        assert "Copy the whole link" in page


async def test_a_wrong_password_keeps_the_name(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False) as stranger:
        form = {"name": "admin", "password": "wrong", "next": "/machines?q=a"}
        page = await stranger.post("/login", 401, form)
        assert "Name or password is wrong" in said(page)
        assert 'value="admin"' in page
        assert 'value="/machines?q=a"' in page
        assert "wrong" not in re.findall(r'value="([^"]*)"', page)


async def test_log_in_goes_on_where_one_wanted_to(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False) as stranger:
        form = {"name": "admin", "password": PASSWORD}
        assert await stranger.post("/login", data={**form, "next": "/machines?q=a"}) == "/machines?q=a"
        for elsewhere in ("https://evil.test/", "//evil.test", "/\\evil.test"):
            assert await stranger.post("/login", data={**form, "next": elsewhere}) == "/"


async def test_log_out_ends_the_log_in(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False) as stranger:
        await stranger.log_in()
        await stranger.get("/")
        assert await stranger.post("/logout") == "/login"
        await stranger.get("/", 303)


async def test_the_cookie_is_for_https_and_not_for_scripts(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False) as stranger:
        form = {"name": "admin", "password": PASSWORD}
        async with stranger.client.post("/login", data=form, allow_redirects=False) as response:
            cookie = response.cookies[COOKIE]
            assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
