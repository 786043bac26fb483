"""Pages about access: forms say what is wrong beside the field, and show only what one may do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from access_seed import HOSTILE
from console_client import PASSWORD, Visitor, said, visitor

from appliance.web.console.programs import program_in_words

NEW = {"name": "carl", "role": "operator", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def become(ada: Visitor, name: str) -> None:
    """Somebody else at the same console."""
    body = {"name": name, "password": PASSWORD}
    async with ada.client.post("/api/v1/sessions", json=body) as response:
        assert response.status == 201
        ada.headers["Authorization"] = f"Bearer {(await response.json())['token']}"
    ada.client.session.cookie_jar.clear()


async def test_a_user_is_made_changed_and_deleted(ada: Visitor) -> None:
    assert await ada.post("/settings/users/new", data=NEW) == "/settings/users"
    assert "carl" in said(await ada.get("/settings/users"))
    await ada.post("/settings/users/carl", data={"role": "viewer"})
    await ada.post("/settings/users/carl/password", data={"password": PASSWORD * 2, "again": PASSWORD * 2})
    page = await ada.post("/settings/users/carl/delete", 422, data={"confirm": "karl"})
    assert "Type exactly: carl" in said(page)
    assert await ada.post("/settings/users/carl/delete", data={"confirm": "carl"}) == "/settings/users"
    await ada.get("/settings/users/carl", 404)
    log = said(await ada.get("/settings/audit?subject=carl"))
    for words in ("created user carl", "changed user carl", "changed the password of user carl", "deleted user carl"):
        assert words in log


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": "Carl!"}, "name", "cannot be a name"),
        ({"name": "new"}, "name", "address of a page"),
        ({"name": "eva"}, "name", "already a user"),
        ({"password": "short", "again": "short"}, "password", "5 characters"),
        ({"again": "other"}, "again", "differ"),
        ({"role": "root"}, "role", "no role"),
    ],
)
async def test_a_form_says_what_is_wrong(ada: Visitor, change: dict[str, str], field: str, words: str) -> None:
    status = 409 if change.get("name") == "eva" else 422
    page = await ada.post("/settings/users/new", status, data={**NEW, **change})
    assert f'id="{field}-error"' in page
    assert words in said(page)
    assert PASSWORD not in page


async def test_the_last_administrator_cannot_lock_everybody_out(ada: Visitor) -> None:
    page = await ada.post("/settings/users/admin", 409, data={"role": "viewer"})
    assert "the last administrator" in said(page)
    page = await ada.post("/settings/users/admin/delete", 422, data={"confirm": "admin"})
    assert "the last administrator" in said(page)


async def test_ones_own_password(ada: Visitor) -> None:
    form = {"old": PASSWORD, "password": PASSWORD * 2, "again": PASSWORD * 2}
    page = await ada.post("/account/password", 403, data={**form, "old": "wrong"})
    assert 'id="old-error"' in page
    assert await ada.post("/account/password", data=form) == "/account?changed=password"
    await ada.get("/account", 303)


async def test_a_token_is_shown_once(ada: Visitor) -> None:
    page = await ada.post("/account/tokens/new", 422, data={"name": HOSTILE, "scope": "viewer", "days": "90"})
    assert HOSTILE not in page
    page = await ada.post("/account/tokens/new", 422, data={"name": "ci", "scope": "viewer", "days": "999"})
    assert 'id="days-error"' in page
    page = await ada.post("/account/tokens/new", 200, data={"name": "ci", "scope": "viewer", "days": "90"})
    (token,) = [word.partition('"')[0] for word in page.split('value="')[1:] if word.startswith("qrm_")]
    assert "only time" in said(page)
    assert "ci" in (account := await ada.get("/account"))
    assert token not in account
    ada.headers["Authorization"], session = f"Bearer {token}", ada.headers["Authorization"]
    await ada.get("/machines")
    ada.headers["Authorization"] = session


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_who_is_no_administrator_sees_no_door_that_is_shut(ada: Visitor, role: str) -> None:
    await ada.post("/settings/users/new", data={**NEW, "role": role})
    await become(ada, "carl")
    settings = await ada.get("/settings")
    for path in ("users", "tokens", "log-ins", "certificate", "audit"):
        assert f'href="/settings/{path}"' not in settings
        await ada.get(f"/settings/{path}", 403)
    form = await ada.get("/account/tokens/new")
    assert 'value="admin"' not in form
    assert 'value="never"' not in form
    assert ('value="operator"' in form) == (role == "operator")
    events = said(await ada.get("/events"))
    assert "logged in from" not in events
    assert "made user carl" not in events
    await ada.get("/account/tokens/t0/delete", 403)
    await ada.post("/account/log-ins/s2/end", 403)


async def test_log_ins_are_ended_by_page(ada: Visitor) -> None:
    assert "curl/8.5.0" in said(await ada.get("/account"))
    assert await ada.post("/account/log-ins/s2/end") == "/account"
    assert await ada.post("/settings/log-ins/s0/end") == "/settings/log-ins"
    page = await ada.get("/settings/log-ins")
    assert "s2" not in page.split("log-in-")[1:]
    assert HOSTILE not in page


async def test_the_audit_log_pages_and_ignores_a_stale_cursor(ada: Visitor) -> None:
    await ada.get("/settings/audit?cursor=nonsense")
    page = await ada.get("/settings/audit?who=eva&action=machine")
    assert "rack 7" in said(page)
    assert "Show all" in await ada.get("/settings/audit?who=nobody")
    assert "<option>&lt;script" not in page, "who fails to get in is not offered as somebody who did something"


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0", "Firefox 146 on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML) Chrome/143.0 Safari/537.36 Edg/143.0",
            "Edge 143 on Windows",
        ),
        ("Mozilla/5.0 (iPhone; like Mac OS X) AppleWebKit/6 Version/26.1 Mobile/1 Safari/6", "Safari 26 on iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown"),
    ],
)
def test_browsers_in_words(claim: str, words: str) -> None:
    assert program_in_words(claim) == words
