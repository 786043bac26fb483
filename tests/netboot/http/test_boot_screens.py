"""What GRUB is given over HTTP, and what boot screens tell the console."""

from pathlib import Path

import pytest
import pytest_asyncio
from http_serving import TalkingFleet, ask, served

from appliance.errors import ApplianceError, NotFound
from appliance.netboot.fleet import Boot
from appliance.netboot.http import BootFiles, BootHttp
from appliance.netboot.policy import MaintenanceStack

MAC = "52:54:00:aa:bb:cc"
UUID = "11111111-2222-3333-4444-555555555501"


class Site:
    """The boot site; ``heard`` is what was told of boot screens."""

    def __init__(self) -> None:
        self.fleet = TalkingFleet()
        self.heard: list[tuple[str, int, str]] = []
        self.proven = True

    def app(self, path: Path):
        files = BootFiles(path, path, "/stack/0a1b", b"PEM", "f" * 64, 80, 443)

        async def fetched(address: str, name: str, size: int) -> None:
            raise AssertionError("no file is fetched here")

        def heard(*told) -> None:
            self.heard.append(told)

        return BootHttp(self.fleet, files, lambda: 5.5, fetched, lambda *_: self.proven, heard).make_app()


@pytest.fixture
def site() -> Site:
    return Site()


@pytest_asyncio.fixture
async def port(site: Site, tmp_path: Path):
    async with served(site.app(tmp_path)) as number:
        yield number


async def test_grub_that_came_by_http_finds_its_first_file_where_it_looks(port: int) -> None:
    answer = await ask(port, "/grub/grub.cfg")
    assert (answer.status, int(answer.headers["content-length"])) == (200, len(answer.body))
    assert b"source (http,127.0.0.1)/boot/grub/$net_default_mac/$uuid" in answer.body


async def test_grub_asks_with_card_and_uuid_and_gets_the_decision(site: Site, port: int) -> None:
    site.fleet.answers["boot"] = Boot(MaintenanceStack(armed=False), "node-1", "because", "t" * 64, "nonce")
    answer = await ask(port, f"/boot/grub/{MAC}/{UUID}")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert b"linux (http,127.0.0.1)/stack/0a1b/vmlinuz " in answer.body
    ((_, request),) = site.fleet.asked
    assert (request.mac, request.uuid, request.firmware, request.proven) == (MAC, UUID, "uefi", True)


async def test_grub_without_a_uuid_is_known_by_its_card(site: Site, port: int) -> None:
    assert (await ask(port, f"/boot/grub/{MAC}/none")).status == 200
    assert site.fleet.asked[0][1].uuid is None


async def test_a_decision_that_cannot_be_taken_now_makes_grub_wait(site: Site, port: int) -> None:
    site.fleet.answers["boot"] = ApplianceError("store-failed", "disk full")
    answer = await ask(port, f"/boot/grub/{MAC}/{UUID}")
    assert answer.status == 200
    assert b"AABBCC-11" in answer.body
    site.fleet.answers["boot"] = NotFound("x", "no")
    assert (await ask(port, f"/boot/grub/{MAC}/{UUID}")).status == 404
    assert (await ask(port, f"/boot/grub/nonsense/{UUID}")).status == 422


@pytest.mark.parametrize("path", [f"/boot/grub/{MAC}/{UUID}", f"/boot/trouble/{MAC}/20"])
async def test_grub_that_came_by_http_looks_whether_a_file_is_there_and_nothing_counts_of_that(
    site: Site, port: int, path: str
) -> None:
    answer = await ask(port, path, "HEAD")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert site.fleet.asked == []
    assert site.heard == []
    assert (await ask(port, path)).status == 200
    assert len(site.fleet.asked) + len(site.heard) == 1


async def test_what_stands_on_a_screen_is_told(site: Site, port: int) -> None:
    answer = await ask(port, f"/boot/trouble/{MAC}/20?error=0x2d0c613b")
    assert (answer.status, answer.body) == (200, b"# noted\n")
    assert site.heard == [(MAC, 20, "0x2d0c613b")]


@pytest.mark.parametrize("number", ["x", "-1", "%D9%A2", "2.5"])
async def test_what_is_no_number_is_not(site: Site, port: int, number: str) -> None:
    assert (await ask(port, f"/boot/trouble/{MAC}/{number}")).status == 200
    assert site.heard == []


async def test_nobody_else_tells_it_of_a_machine(site: Site, port: int) -> None:
    site.proven = False
    assert (await ask(port, f"/boot/trouble/{MAC}/20")).status == 200
    assert site.heard == []
