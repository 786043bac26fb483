"""A browser's token is replaced while it is used, and a copied one ends the log-in."""

import pytest
from access_world import audited, log_in, person
from web_world import NAME, PASSWORD, World

from appliance.web.auth import COOKIE, GRACE, IDLE_END, REPLACE_AFTER, UNATTENDED


class Browser:
    """Keeps its cookie as browsers do."""

    def __init__(self, world: World, cookie: str) -> None:
        self.world, self.cookie = world, cookie

    async def get(self, path: str = "/api/v1/machines", *, keep: bool = True, **more: str) -> int:
        """The status; ``keep``: the answer arrives; ``more``: further headers."""
        headers = {"Cookie": f"{COOKIE}={self.cookie}", **more}
        async with self.world.client.get(path, headers=headers, allow_redirects=False) as response:
            if keep and COOKIE in response.cookies:
                self.cookie = response.cookies[COOKIE].value
            self.world.client.session.cookie_jar.clear()
            return response.status


@pytest.fixture
async def browser(admin: World) -> Browser:
    admin.headers = {}
    form = {"name": NAME, "password": PASSWORD, "next": "/"}
    origin = str(admin.client.make_url("")).rstrip("/")
    async with admin.client.post("/login", data=form, headers={"Origin": origin}, allow_redirects=False) as response:
        assert response.status == 303
        cookie = response.cookies[COOKIE]
    admin.client.session.cookie_jar.clear()
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    assert not cookie["domain"]
    return Browser(admin, cookie.value)


async def test_a_token_is_replaced_after_an_hour(admin: World, browser: Browser) -> None:
    first = browser.cookie
    admin.clock.now += REPLACE_AFTER - 1
    assert await browser.get() == 200
    assert browser.cookie == first
    admin.clock.now += 1
    assert await browser.get() == 200
    assert browser.cookie != first
    assert await browser.get() == 200, "the new one is good"
    assert await Browser(admin, first).get() == 200, "a request that was on its way"
    admin.clock.now += GRACE
    assert await browser.get() == 200


async def test_a_copied_token_ends_the_log_in(admin: World, browser: Browser) -> None:
    copied = browser.cookie
    admin.clock.now += REPLACE_AFTER
    await browser.get()
    await browser.get()
    admin.clock.now += GRACE + 1
    assert await Browser(admin, copied).get() == 401
    assert await browser.get() == 401, "the log-in is over for both"
    (entry, *_) = await audited(admin, action="user.log-in")
    assert (entry.outcome, entry.who) == ("failed", NAME)


async def test_an_answer_that_is_lost_logs_nobody_out(admin: World, browser: Browser) -> None:
    admin.clock.now += REPLACE_AFTER
    for _ in range(5):
        assert await browser.get(keep=False) == 200
        admin.clock.now += GRACE + 1
    assert await browser.get() == 200
    assert await browser.get() == 200


async def test_many_requests_at_once_are_given_one_token(admin: World, browser: Browser) -> None:
    admin.clock.now += REPLACE_AFTER
    other = Browser(admin, browser.cookie)
    assert await browser.get() == 200
    assert await other.get() == 200
    assert other.cookie != browser.cookie
    admin.clock.now += 30
    assert await browser.get() == 200
    assert await other.get() == 200, "it shares the jar, and had its request on the way"


async def test_uploads_and_sockets_replace_nothing(admin: World, browser: Browser) -> None:
    admin.clock.now += REPLACE_AFTER
    origin = str(admin.client.make_url("")).rstrip("/")
    headers = {"Cookie": f"{COOKIE}={browser.cookie}", "Origin": origin}
    path = "/api/v1/images?name=a&format=raw"
    async with admin.client.post(path, data=b"\0" * 512, headers=headers) as response:
        assert response.status == 201
        assert COOKIE not in response.cookies
    async with admin.client.ws_connect("/live", headers=headers) as socket:
        assert (await socket.receive_json(timeout=5))["kind"] == "hello"


async def test_an_open_page_is_no_use_of_it(admin: World, browser: Browser) -> None:
    for hours in range(1, 13):
        assert await browser.get(**{UNATTENDED: "1"}) == 200, hours
        admin.clock.now += 3600
    assert await browser.get(**{UNATTENDED: "1"}) == 401


async def test_a_token_that_was_given_before_the_log_in_is_not_taken_over(admin: World, browser: Browser) -> None:
    planted, origin = browser.cookie, str(admin.client.make_url("")).rstrip("/")
    headers = {"Origin": origin, "Cookie": f"{COOKIE}={planted}"}
    form = {"name": NAME, "password": PASSWORD}
    async with admin.client.post("/login", data=form, headers=headers, allow_redirects=False) as response:
        assert response.cookies[COOKIE].value != planted
    admin.client.session.cookie_jar.clear()
    assert await browser.get() == 401, "the log-in of before is over"


async def test_log_ins_are_listed_and_ended(admin: World) -> None:
    ada, elsewhere = await log_in(admin), await log_in(admin)
    bob = await person(admin, ada, "viewer", "bob")
    mine = (await ada.api("GET", "/sessions"))["items"]
    assert {each["user"] for each in mine} == {NAME}
    assert sum(each["current"] for each in mine) == 1
    assert mine[0]["address"] == "127.0.0.1"
    assert "Python" in mine[0]["program"]
    await bob.api("GET", "/sessions?everybody=true", 403)
    (his,) = (await bob.api("GET", "/sessions"))["items"]
    every = (await ada.api("GET", "/sessions?everybody=true"))["items"]
    assert {each["user"] for each in every} == {NAME, "bob"}
    (other,) = [each for each in (await elsewhere.api("GET", "/sessions"))["items"] if each["current"]]
    assert (await bob.api("DELETE", f"/sessions/{other['id']}", 403))["code"] == "log-in-foreign"
    await ada.api("DELETE", f"/sessions/{other['id']}", 204)
    await elsewhere.api("GET", "/machines", 401)
    await ada.api("DELETE", f"/sessions/{his['id']}", 204)
    await bob.api("GET", "/machines", 401)
    await ada.api("DELETE", f"/sessions/{his['id']}", 404)
    admin.clock.now += IDLE_END
    fresh = await log_in(admin)
    assert len((await fresh.api("GET", "/sessions?everybody=true"))["items"]) == 1


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8443", 200),
        ("localhost:1", 200),
        ("[::1]:8443", 200),
        ("evil.example", 421),
        ("evil.example:8443", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.0.2.1", 421),
        ("localhost.evil.example", 421),
    ],
)
async def test_another_site_s_name_leads_nowhere(admin: World, host: str, status: int) -> None:
    async with admin.client.get("/healthz", headers={"Host": host}) as response:
        assert response.status == status
        if status == 421:
            said = await response.json()
            assert said["code"] == "host-unknown"
            assert "[web]" in said["hint"]
