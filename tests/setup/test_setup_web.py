"""The five steps over HTTP: forms without scripts, the API, and the way in over a new network."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, FormData, TCPConnector
from paper import EMPTY, FULL
from setup_server import Waiting, waiting

from appliance.errors import ApplianceError, Conflict
from appliance.setup.value import Management
from appliance.web.auth import COOKIE
from tests.web.console_client import said

PASSWORD = "correct horse battery"
SITE = {"host_name": "boot", "domain": "rack.example", "time_zone": "Europe/Vienna", "time_servers": "ntp.example.com"}
NETWORKS = {
    "management_nic": "nic0",
    "management_by": "fixed",
    "management_address": "192.0.2.10/24",
    "management_gateway": "192.0.2.1",
    "management_dns": "192.0.2.1, 192.0.2.2",
    "provisioning_nic": "nic1",
    "provisioning_by": "fixed",
    "provisioning_address": "10.77.0.1/24",
    "dhcp": "authoritative",
    "ranges": "10.77.0.50-10.77.0.99",
    "unknown_machines": "enlist",
    "nat": "yes",
}


@dataclass
class Person:
    """Somebody with a browser without scripts; follows no redirects."""

    serving: Waiting
    session: ClientSession
    cookie: str = ""

    @property
    def headers(self) -> dict[str, str]:
        given = {"Accept": "text/html", "Origin": self.serving.url}
        return given | ({"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {})

    async def get(self, path: str, status: int = 200) -> str:
        url = self.serving.url + path
        async with self.session.get(url, headers=self.headers, allow_redirects=False, ssl=False) as response:
            text = await response.text()
            assert response.status == status, f"{path}: {response.status} {said(text)[:300]}"
            return response.headers["Location"] if status == 303 else text

    async def post(self, path: str, form: dict[str, str] | FormData, status: int = 303) -> str:
        url = self.serving.url + path
        async with self.session.post(
            url, data=form, headers=self.headers, allow_redirects=False, ssl=False
        ) as response:
            text = await response.text()
            assert response.status == status, f"{path}: {response.status} {said(text)[:300]}"
            if COOKIE in response.cookies:
                self.cookie = response.cookies[COOKIE].value
            return response.headers["Location"] if status == 303 else text

    async def api(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.cookie}", "Content-Type": "application/json"}
        url = f"{self.serving.url}/api/v1{path}"
        data = json.dumps(body).encode() if method != "GET" else None
        async with self.session.request(method, url, data=data, headers=headers, ssl=False) as response:
            text = await response.text()
            assert response.status == status, f"{method} {path}: {response.status} {text}"
            return json.loads(text) if text else None

    async def become_administrator(self) -> str:
        token = self.serving.link.partition("token=")[2]
        form = {"token": token, "name": "eva", "password": PASSWORD, "again": PASSWORD}
        return await self.post("/setup", form)

    async def answer(self) -> None:
        await self.post("/setup/site", SITE)
        await self.post("/setup/networks", NETWORKS)
        await self.post("/setup/storage", {})

    async def trying(self) -> dict[str, Any]:
        """The progress, once the network is on."""
        async with asyncio.timeout(20):
            while not (found := await self.api("GET", "/setup/progress"))["until"]:
                assert found["phase"] == "trying"
                await asyncio.sleep(0.01)
        assert 0 < found["left"] <= 60
        return dict(found)

    async def done(self) -> None:
        """Until the daemon has started with its new configuration."""
        async with asyncio.timeout(20):
            while self.serving.services.first_start is not None:
                await asyncio.sleep(0.01)
        gone = await self.api("GET", "/setup/progress", 404)
        assert gone["code"] == "setup-without-steps"


@asynccontextmanager
async def somebody(directory: Path, **given: Any) -> AsyncIterator[Person]:
    async with (
        waiting(directory, **given) as serving,
        ClientSession(connector=TCPConnector(ssl=False)) as session,
    ):
        yield Person(serving, session)


@pytest.fixture
async def eva(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Person]:
    """The administrator of an appliance that is being set up."""
    monkeypatch.setattr("appliance.setup.conduct.ANSWER_SECONDS", 0.0)
    async with somebody(tmp_path) as person:
        assert await person.become_administrator() == "/setup"
        yield person


async def test_set_up_leads_from_step_to_step(eva: Person) -> None:
    assert await eva.get("/", 303) == "/setup"
    assert await eva.get("/setup", 303) == "/setup/site"
    assert await eva.get("/setup/storage", 303) == "/setup/site", "steps are not left out"
    assert await eva.post("/setup/site", SITE) == "/setup/networks"
    assert await eva.get("/setup", 303) == "/setup/networks"
    assert await eva.post("/setup/networks", NETWORKS) == "/setup/storage"
    assert await eva.post("/setup/storage", {"data_disks": EMPTY.serial}) == "/setup/ready"
    ready = said(await eva.get("/setup/ready"))
    for words in ("boot.rack.example", "192.0.2.10/24", "10.77.0.50-10.77.0.99", "NAT", EMPTY.serial):
        assert words in ready
    assert "Lost for good" not in ready
    assert "eva" in said(await eva.get("/setup/account"))


async def test_pages_keep_to_their_policy(eva: Person) -> None:
    pages = [await eva.get("/setup/account"), await eva.get("/setup/site")]
    await eva.post("/setup/site", SITE)
    pages.append(await eva.get("/setup/networks"))
    await eva.post("/setup/networks", NETWORKS)
    pages.append(await eva.get("/setup/storage"))
    pages.append(await eva.post("/setup/storage", {"data_disks": FULL.serial}, 409))
    await eva.post("/setup/storage", {})
    pages.append(await eva.get("/setup/ready"))
    await eva.post("/setup/ready", {})
    pages.append(await eva.get("/setup/wait"))
    for page in pages:
        assert not re.search(r"<[^>]*\s(style|on[a-z]+)=", page), "inline style or handler"
        assert not re.search(r"<script(?![^>]*\ssrc=)", page), "inline script"
        assert "None" not in said(page)
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), "an id twice"
        described = {each for found in re.findall(r'aria-describedby="([^"]+)"', page) for each in found.split()}
        assert described <= set(ids)


BAD = ["", "x" * 100_000, '"><img src=x onerror=alert(1)>', "a\x00b", "{{7*7}}", "-1", "../../etc/passwd", "\u202e"]


@pytest.mark.parametrize(
    ("step", "good"), [("site", SITE), ("networks", NETWORKS), ("storage", {"data_disks": "", "confirm": ""})]
)
async def test_every_field_with_every_bad_value(eva: Person, step: str, good: dict[str, str]) -> None:
    """Refused in words beside the field, or taken for what it says; nothing is a defect of ours."""
    for earlier, form in (("site", SITE), ("networks", NETWORKS)):
        if earlier != step:
            await eva.post(f"/setup/{earlier}", form)
    for name in (*good, "management_nic", "no_such_field"):
        for bad in BAD:
            url = f"{eva.serving.url}/setup/{step}"
            form = {**good, name: bad}
            async with eva.session.post(url, data=form, headers=eva.headers, allow_redirects=False) as response:
                text = await response.text()
                assert response.status in (303, 422), f"{name}={bad[:20]!r}: {response.status} {said(text)[:200]}"
                assert "<img src=x" not in text
                if response.status == 422:
                    assert 'class="error"' in text or 'role="alert"' in text, f"{name}={bad[:20]!r}"


async def test_what_was_typed_and_refused_is_there_after_a_reload(eva: Person) -> None:
    page = await eva.post("/setup/site", SITE | {"host_name": "the host"}, 422)
    assert "no host name" in said(page)
    for again in (page, await eva.get("/setup/site")):
        assert 'value="the host"' in again
        assert 'value="rack.example"' in again
    await eva.post("/setup/site", SITE)
    assert 'value="boot"' in await eva.get("/setup/site"), "what was accepted stands there when one goes back"


async def test_a_restart_of_the_daemon_loses_nothing(tmp_path: Path) -> None:
    async with somebody(tmp_path) as eva:
        await eva.become_administrator()
        await eva.post("/setup/site", SITE)
        await eva.post("/setup/networks", NETWORKS | {"ranges": "nonsense"}, 422)
        cookie = eva.cookie
    async with somebody(tmp_path) as again:
        again.cookie = cookie
        assert await again.get("/setup", 303) == "/setup/networks"
        page = await again.get("/setup/networks")
        assert 'value="nonsense"' in page
        assert 'value="192.0.2.10/24"' in page


async def test_another_dhcp_server_is_said_and_proxy_mode_offered(eva: Person) -> None:
    eva.serving.paper.dhcp["nic1"] = ("10.77.0.254",)
    await eva.post("/setup/site", SITE)
    line = await eva.post("/setup/look", {"nic": "nic1"}, 200)
    assert said(line) == "10.77.0.254 answers"
    page = await eva.post("/setup/networks", NETWORKS, 409)
    assert "Another DHCP server answers on nic1: 10.77.0.254" in said(page)
    assert "Use proxy mode beside it" in said(page)
    form = FormData([*NETWORKS.items(), ("dhcp", "proxy")])
    assert await eva.post("/setup/networks", form) == "/setup/storage", "the button counts, not the list above it"
    found = await eva.api("GET", "/setup")
    assert (found["provisioning"]["dhcp"], found["provisioning"]["ranges"]) == ("proxy", [])
    await eva.post("/setup/networks", NETWORKS | {"despite_dhcp": "yes"})
    await eva.post("/setup/look", {"nic": "eth9"}, 422)


async def test_one_interface_for_both(eva: Person) -> None:
    await eva.post("/setup/site", SITE)
    await eva.post("/setup/networks", NETWORKS | {"provisioning_nic": "nic0", "ranges": "192.0.2.50-192.0.2.99"})
    provisioning = (await eva.api("GET", "/setup"))["provisioning"]
    assert provisioning["address"] == ""
    assert not provisioning["nat"], "what is hidden does not count"


async def test_a_provisioning_network_that_is_chosen_later(eva: Person) -> None:
    await eva.post("/setup/site", SITE)
    await eva.post("/setup/networks", NETWORKS | {"provisioning_nic": "later", "ranges": "nonsense"})
    found = await eva.api("GET", "/setup")
    assert found["provisioning"] is None
    assert found["management"]["dns"] == ["192.0.2.1", "192.0.2.2"]
    assert '<option value="later" selected>' in await eva.get("/setup/networks")


async def test_what_is_on_a_disk_is_named_and_typed(eva: Person) -> None:
    await eva.post("/setup/site", SITE)
    await eva.post("/setup/networks", NETWORKS)
    both = FormData([("data_disks", EMPTY.serial), ("data_disks", FULL.serial)])
    page = await eva.post("/setup/storage", both, 409)
    assert "Everything on this disk is lost" in said(page)
    assert "ext4 (backup)" in said(page)
    assert 'class="error"' not in page, "nobody typed anything wrong"
    wrong = FormData([("data_disks", EMPTY.serial), ("data_disks", FULL.serial), ("confirm", "yes")])
    assert f"Type exactly: {FULL.serial}" in said(await eva.post("/setup/storage", wrong, 409))
    right = FormData([("data_disks", EMPTY.serial), ("data_disks", FULL.serial), ("confirm", FULL.serial)])
    assert await eva.post("/setup/storage", right) == "/setup/ready"
    ready = said(await eva.get("/setup/ready"))
    assert "Lost for good" in ready
    assert "Clear the disks and set up" in ready


async def test_a_moved_console_is_confirmed_by_who_arrives_there(eva: Person) -> None:
    await eva.answer()
    assert await eva.post("/setup/ready", {}) == "/setup/wait"
    progress = await eva.trying()
    assert progress["target"] == "192.0.2.10:8443"
    page = await eva.get("/setup/wait")
    (token,) = set(re.findall(r"https://192\.0\.2\.10:8443/setup/arrive\?token=([0-9a-f]{64})", page))
    assert await eva.get("/setup/site", 303) == "/setup/wait", "nothing is answered meanwhile"

    stranger = replace(eva, cookie="")
    await stranger.get(f"/setup/arrive?token={'0' * 64}", 403)
    await stranger.post("/setup/arrive", {"token": "x"}, 403)
    assert 'method="post" action="/setup/arrive" data-at-once' in await stranger.get(f"/setup/arrive?token={token}")
    assert eva.serving.paper.done[-1] == "try", "to look at the page keeps nothing"
    assert await stranger.post("/setup/arrive", {"token": token}) == "/setup/wait"
    assert stranger.cookie, "whoever has the link is who began"
    await stranger.done()
    assert eva.serving.paper.written
    assert await stranger.get("/setup", 303) == "/"


async def test_a_link_is_good_once(eva: Person) -> None:
    eva.serving.paper.fails["write"] = ApplianceError("helper-gone", "it ended in the middle")
    await eva.answer()
    begun = await eva.api("POST", "/setup/begin", 202)
    await eva.trying()
    await eva.api("POST", "/setup/arrive", 201, token=begun["token"])
    async with asyncio.timeout(20):
        while not (await eva.api("GET", "/setup/progress"))["failed"]:
            await asyncio.sleep(0.01)
    await eva.api("POST", "/setup/arrive", 403, token=begun["token"])


async def test_only_the_newest_link_is_good(eva: Person) -> None:
    await eva.answer()
    begun = await eva.api("POST", "/setup/begin", 202)
    await eva.trying()
    await eva.get("/setup/wait")
    await eva.api("POST", "/setup/arrive", 403, token=begun["token"])


async def test_an_address_that_was_given_on_the_screen_is_proposed(eva: Person) -> None:
    paper = eva.serving.paper
    paper.what = replace(paper.what, management=Management("nic1", "192.0.2.7/24", "192.0.2.1", ("192.0.2.53",)))
    await eva.post("/setup/site", SITE)
    form = await eva.get("/setup/networks")
    assert 'value="fixed" checked' in form
    assert all(f'value="{each}"' in form for each in ("192.0.2.7/24", "192.0.2.1", "192.0.2.53"))
    assert '<option value="nic1" selected' in form


async def test_a_console_that_stays_is_confirmed_from_where_it_is(eva: Person) -> None:
    await eva.post("/setup/site", SITE)
    await eva.post("/setup/networks", NETWORKS | {"management_by": "dhcp"})
    await eva.post("/setup/storage", {})
    assert (await eva.api("POST", "/setup/begin", 202))["progress"]["target"] == ""
    await eva.trying()
    assert await eva.post("/setup/confirm", {}) == "/setup/wait"
    await eva.done()


async def test_only_who_comes_over_the_new_network_keeps_it(eva: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is open still, over a network on which the console is not to be."""
    await eva.answer()
    begun = await eva.api("POST", "/setup/begin", 202)
    await eva.trying()
    asked: list[str] = []

    async def check_over(here: str) -> None:
        asked.append(here)
        raise Conflict("network-elsewhere", "this came to 192.0.2.7", "open the console at 192.0.2.10")

    monkeypatch.setattr(eva.serving.services.own_networks, "check_over", check_over)
    await eva.api("POST", "/setup/arrive", 403, token="0" * 64)
    assert asked == [], "a stranger learns nothing"
    await eva.post("/setup/confirm", {}, 409)
    await eva.post("/setup/arrive", {"token": begun["token"]}, 409)
    assert (await eva.api("POST", "/setup/confirm", 409))["code"] == "network-elsewhere"
    assert (await eva.api("POST", "/setup/arrive", 409, token=begun["token"]))["code"] == "network-elsewhere"
    assert set(asked) == {"127.0.0.1"}
    assert eva.serving.paper.done[-1] == "try"


async def test_why_it_was_not_carried_out_stands_on_the_last_step(eva: Person) -> None:
    eva.serving.paper.fails["try"] = ApplianceError("network-invalid", "nic0 has no address", "write one")
    await eva.answer()
    await eva.post("/setup/ready", {})
    async with asyncio.timeout(20):
        while not (found := await eva.api("GET", "/setup/progress"))["failed"]:
            await asyncio.sleep(0.01)
    assert found["phase"] == "asking"
    assert await eva.get("/setup/wait", 303) == "/setup/ready"
    assert "It was not carried out: Nic0 has no address: write one" in said(await eva.get("/setup/ready"))


async def test_programs_answer_the_same_steps(eva: Person) -> None:
    found = await eva.api("GET", "/setup")
    assert (found["open"], found["accepted"]) == ("site", ["account"])
    assert [each["name"] for each in found["nics"]] == ["nic0", "nic1", "nic2"]
    assert {each["identifier"] for each in found["disks"]} >= {EMPTY.serial, FULL.serial}
    wrong = await eva.api("PUT", "/setup/site", 422, host_name="the host", domain="rack.example")
    assert (wrong["code"], wrong["field"]) == ("setup-invalid", "site.host_name")
    await eva.api("PUT", "/setup/site", host_name="boot", domain="rack.example")
    management = {"nic": "nic0", "address": "192.0.2.10/24"}
    served = {"nic": "nic1", "address": "10.77.0.1/24", "ranges": ["10.77.0.50-10.77.0.99"]}
    wrong = await eva.api("PUT", "/setup/networks", 422, management={"nic": "nic0", "gateway": "x"})
    assert wrong["field"] == "management.gateway"
    unknown = await eva.api("PUT", "/setup/networks", 422, management=management, provisionning=served)
    assert "provisionning" in unknown["field"]
    assert (await eva.api("POST", "/setup/look", nic="nic1"))["servers"] == []
    await eva.api("PUT", "/setup/networks", management=management, provisioning=served)
    wrong = await eva.api("PUT", "/setup/storage", 409, data_disks=[FULL.serial])
    assert wrong["code"] == "confirmation-needed"
    found = await eva.api("PUT", "/setup/storage", data_disks=[FULL.serial], confirm=FULL.serial)
    assert found["open"] == "ready"
    await eva.api("POST", "/setup/begin", 202)
    await eva.trying()
    assert (await eva.api("POST", "/setup/confirm"))["phase"] == "finishing"
    await eva.done()


async def test_elsewhere_set_up_is_the_one_step_as_it_was(tmp_path: Path) -> None:
    async with somebody(tmp_path, first=False) as eva:
        page = said(await eva.get(eva.serving.link))
        assert "Name and time" not in page
        assert await eva.become_administrator() == "/"
        await eva.get("/")
        for path in ("site", "networks", "storage", "ready", "account"):
            assert "no set-up to go through" in said(await eva.get(f"/setup/{path}", 404))
        assert (await eva.api("GET", "/setup/progress", 404))["code"] == "setup-without-steps"
        for path in ("/setup", "/setup/wait"):
            assert await eva.get(path, 303) == "/", "whoever comes late finds the console"
