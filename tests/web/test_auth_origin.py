"""Where a request comes from, and where a log-in leads to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_world import World
from yarl import URL

from appliance.errors import Denied
from appliance.web.origin import check_origin, relative_target


@pytest.mark.parametrize(
    ("origin", "host", "secure", "same"),
    [
        ("https://box:8443", "box:8443", True, True),
        ("https://BOX:8443", "box:8443", True, True),
        ("https://box", "box:443", True, True),
        ("https://[fd00::1]:8443", "[fd00::1]:8443", True, True),
        ("http://box:8443", "box:8443", True, False),
        ("http://box:8443", "box:8443", False, True),
        ("https://box:8444", "box:8443", True, False),
        ("https://box.evil.example", "box", True, False),
        ("https://user@box", "box", True, False),
        ("null", "box", True, False),
        ("", "", True, False),
        ("https://", "", True, False),
    ],
)
def test_same_origin(origin: str, host: str, secure: bool, same: bool) -> None:
    headers = {"Origin": origin, "Host": host}
    if same:
        check_origin(headers, by_cookie=True, secure=secure)
    else:
        with pytest.raises(Denied):
            check_origin(headers, by_cookie=True, secure=secure)


def test_programs_send_no_origin() -> None:
    check_origin({"Host": "box"}, by_cookie=False, secure=True)
    with pytest.raises(Denied):
        check_origin({"Host": "box"}, by_cookie=True, secure=True)


@pytest.mark.parametrize("target", ["/", "/machines", "/machines?state=idle&sort=name", "/a%2Fb"])
def test_own_pages_are_led_to(target: str) -> None:
    assert relative_target(target) == target


@pytest.mark.parametrize(
    "target",
    [None, "", "machines", "//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example",
     "/\n/evil.example", "javascript:alert(1)", "/" + "x" * 3000],
)  # fmt: skip
def test_everything_else_leads_to_the_overview(target: str | None) -> None:
    assert relative_target(target) == "/"


@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_no_target_leaves_the_site(target: str) -> None:
    base = URL("https://box:8443/login")
    led = relative_target(f"/{target}")
    assert base.join(URL(led, encoded=True)).host == "box"


async def test_people_get_pages_and_programs_get_documents(admin: World) -> None:
    page = {**admin.headers, "Accept": "text/html,*/*;q=0.8"}
    async with admin.client.get("/nothing", headers=page) as response:
        assert (response.status, response.content_type) == (404, "text/html")
        assert "there is nothing at this address" in (await response.text()).lower()
    async with admin.client.get("/nothing", headers=admin.headers) as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")
    async with admin.client.get("/login", headers={"Host": "a b", "Accept": "text/html"}) as response:
        assert (response.status, response.content_type) == (422, "text/html")
