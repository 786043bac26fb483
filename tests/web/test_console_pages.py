"""Every page: it is there, holds nothing that its policy forbids, and what machines say stays text."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor
from console_seed import HOSTILE

from appliance.web.console.routes import ROUTES

PAGES = (
    "/",
    "/tasks",
    "/tasks?status=failed&machine=node-19",
    "/tasks/1",
    "/tasks/1/cancel",
    "/tasks/5",
    "/tasks/strip",
    "/machines",
    "/machines?state=busy",
    "/machines?state=offline&q=node&sort=memory&dir=desc",
    "/machines/m0007",
    "/machines/m0007/inventory",
    "/machines/m0007/timeline",
    "/machines/m0007/network",
    "/machines/m0007/boot",
    "/machines/m0006/boot",
    "/machines/m0006/rescue",
    "/machines/m0006/admit",
    "/machines/m0013",
    "/machines/m0013/end-rescue",
    "/machines?state=asking",
    "/machines/r77",
    "/machines/r77/admit",
    "/machines/m0011/inventory",
    "/machines/m0000/power",
    "/machines/m0001/power",
    "/machines/m0002/power",
    "/machines/m0007/power",
    "/machines/m0013/power",
    "/machines/m0000/power/off",
    "/machines/m0006/power/cycle",
    "/machines/m0012/power/network-once",
    "/machines/m0013/power/on",
    "/machines/m0000/power-settings",
    "/machines/m0013/power-settings",
    "/machines/m0013/power-settings?kind=ipmi",
    "/machines/m0013/power-settings?kind=wake-on-lan",
    "/machines/m0013/power-settings?kind=libvirt",
    "/machines/m0013/power-settings?kind=manual",
    "/machines/m0000/power-settings/delete",
    "/machines/m0007/edit",
    "/machines/m0007/broken",
    "/machines/m0007/delete",
    "/deployments",
    "/deployments?state=active&sort=machine",
    "/deployments/web-1",
    "/deployments/web-3",
    "/deployments/cache-1",
    "/deployments/batch-1",
    "/deployments/kiosk-1",
    "/deployments/web-1/timeline",
    "/deployments/web-1/stop",
    "/deployments/db-1/release",
    "/deployments/web-1/redeploy",
    "/deployments/cache-1/retry",
    "/deployments/batch-1/start",
    "/deployments/batch-1/delete",
    "/deployments/new",
    "/deployments/new?machine=m0007&image=debian-13&disk_rule=named",
    "/deployments/new/choices?machine=m0006&cpus=x",
    "/images",
    "/images/debian-13",
    "/images/rocky-10/delete",
    "/images/live-13",
    "/images/new",
    "/images/fetch/new",
    "/images/make/new",
    "/isos",
    "/isos/debian-13-netinst",
    "/isos/new",
    "/isos/fetch/new",
    "/isos/debian-13-netinst/edit",
    "/isos/virtio-win/delete",
    "/recipes",
    "/recipes/new",
    "/recipes/debian-13",
    "/recipes/debian-13/delete",
    "/images/debian-13/edit",
    "/deployments/web-1/edit",
    "/kernels/maintenance/edit",
    "/kernels",
    "/kernels?q=nothing",
    "/kernels/new",
    "/kernels/maintenance/modules/new",
    "/kernels/maintenance/delete",
    "/storage",
    "/storage/new",
    "/storage/adopt",
    "/storage/adopt?group=OOOOOO-bbbb-cccc-dddd-eeee-ffff-DDDDDD",
    "/storage/1",
    "/storage/1?state=in+use&sort=used&dir=desc&q=shop",
    "/storage/2",
    "/storage/3",
    "/storage/1/extend",
    "/storage/1/retire",
    "/storage/3/retire",
    "/storage/1/repair",
    "/storage/2/volumes/new",
    "/storage/1/volumes/00000000000000b8",
    "/storage/2/volumes/00000000000000a1",
    "/storage/2/volumes/00000000000000a2",
    "/storage/2/volumes/00000000000000a2/grow",
    "/storage/2/volumes/00000000000000a2/rename",
    "/storage/2/volumes/00000000000000a2/clone",
    "/storage/2/volumes/00000000000000a2/snapshot",
    "/storage/2/volumes/00000000000000a2/delete",
    "/storage/2/volumes/00000000000000a2/roll-back/00000000000000a3",
    "/storage/2/volumes/00000000000000b9/delete",
    "/vms",
    "/vms?state=running&host=kvm-1&sort=memory&dir=desc&q=vm",
    "/vms?state=nonsense&q=nothing-of-that-name",
    "/vms/5f1b6c00-0000-4000-8000-000000000001",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/console",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/console/serial",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/hardware",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/timeline",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/order/off",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/order/start",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/shut-down",
    "/vms/5f1b6c00-0000-4000-8000-000000000002",
    "/vms/5f1b6c00-0000-4000-8000-000000000002/shut-down",
    "/vms/5f1b6c00-0000-4000-8000-000000000003",
    "/vms/5f1b6c00-0000-4000-8000-000000000003/hardware",
    "/vms/5f1b6c00-0000-4000-8000-000000000005",
    "/vms/5f1b6c00-0000-4000-8000-000000000005/hardware",
    "/vms/5f1b6c00-0000-4000-8000-000000000006",
    "/vms/5f1b6c00-0000-4000-8000-000000000007",
    "/vms/5f1b6c00-0000-4000-8000-000000000007/hardware",
    "/vms/new",
    "/vms/new?system=windows&host=kvm-1",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/edit",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/disks/new",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/disks/sda/remove",
    "/vms/5f1b6c00-0000-4000-8000-000000000003/nics/edit",
    "/vms/5f1b6c00-0000-4000-8000-000000000003/cdroms/edit",
    "/vms/5f1b6c00-0000-4000-8000-000000000003/boot/edit",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/delete",
    "/vms/5f1b6c00-0000-4000-8000-000000000001/delete?disks=go",
    "/vms/bulk?chosen=5f1b6c00-0000-4000-8000-000000000001",
    "/vms/bulk?chosen=5f1b6c00-0000-4000-8000-000000000001&action=reset",
    "/vms/bulk?all=1&state=off&action=start",
    "/vms/hosts",
    "/vms/hosts/new",
    "/vms/hosts/kvm-1",
    "/vms/hosts/kvm-2",
    "/vms/hosts/kvm-2/remove",
    "/network",
    "/network/subnets/br0/edit",
    "/network/subnets/br0/snippet",
    "/network/subnets/br0/snippet?for=kea",
    "/network/subnets/br0/snippet?for=kea&secure_boot=true",
    "/network/leases",
    "/network/leases?q=node-1&sort=until&dir=desc",
    "/network/leases/br0/10.77.0.110/forget",
    "/network/reservations",
    "/network/reservations/new?mac=52:54:00:b2:00:01",
    "/network/reservations/00:11:32:aa:00:01/delete",
    "/network/names",
    "/network/names?owner=record",
    "/network/names/new",
    "/network/names/1/delete",
    "/network/seen",
    "/network/seen?stage=offered",
    "/network/seen/52:54:00:b2:00:01",
    "/machines?group=state",
    "/machines?group=tag&state=idle",
    "/machines/bulk?chosen=m0005&chosen=m0006",
    "/machines/bulk?chosen=m0005&action=tag",
    "/machines/bulk?all=1&state=idle&action=delete",
    "/deployments/bulk?all=1&action=release",
    "/help",
    "/find",
    "/find?q=node-1",
    "/find?q=nothing-of-that-name",
    "/docs/api",
    "/events",
    "/events?kind=dhcp.lease&machine=node-18",
    "/events?deployment=web-1",
    "/settings",
    "/settings/users",
    "/settings/users/new",
    "/settings/users/eva",
    "/settings/users/admin",
    "/settings/users/eva/delete",
    "/settings/tokens",
    "/settings/log-ins",
    "/settings/certificate",
    "/settings/general",
    "/settings/general/disks",
    "/settings/health",
    "/settings/health/licences",
    "/settings/health/factory-reset",
    "/settings/backup",
    "/settings/backup/old/before-restore-20261120T184000Z/delete",
    "/settings/certificate/reset",
    "/settings/ssh",
    "/settings/ssh/remove",
    "/network/interfaces",
    "/network/interfaces/new",
    "/settings/updates",
    "/settings/updates/restart",
    "/settings/updates/back",
    "/settings/audit",
    "/account",
    "/account/tokens/new",
    "/account/tokens/t0/delete",
)
EMPTY = (
    "/",
    "/machines",
    "/deployments",
    "/deployments/new",
    "/images",
    "/isos",
    "/kernels",
    "/storage",
    "/events?machine=nobody",
)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_every_page_keeps_to_its_policy(fleet: Visitor) -> None:
    wrong = [f"{path}: {what}" for path in PAGES for what in against_policy(await fleet.get(path))]
    assert "\n".join(wrong) == ""


def against_policy(page: str) -> list[str]:
    """What a page has that none may have."""
    ids = re.findall(r'\bid="([^"]+)"', page)
    found = {
        "what a machine said, as it said it": HOSTILE in page,
        "inline style or handler": re.search(r"<[^>]*\s(style|on[a-z]+)=", page),
        "inline script": re.search(r"<script(?![^>]*\ssrc=)", page),
        "third party": re.search(r"(src|href)=\"https?:", page),
        "None is shown": "None" in said(page),
        "an id twice": len(ids) != len(set(ids)),
    }
    return [what for what, there in found.items() if there]


@pytest.mark.parametrize(
    ("page", "what"),
    [
        (f"<p>{HOSTILE}</p>", "what a machine said, as it said it"),
        ('<p style="color: red">', "inline style or handler"),
        ('<p onclick="go()">', "inline style or handler"),
        ("<script>go()</script>", "inline script"),
        ('<img src="https://elsewhere.test/">', "third party"),
        ("<p>None</p>", "None is shown"),
        ('<p id="a"></p><p id="a"></p>', "an id twice"),
    ],
)
def test_what_is_against_the_policy_is_found(page: str, what: str) -> None:
    assert what in against_policy(page)
    assert against_policy('<p id="a"><script src="/static/a.js"></script></p>') == []


async def test_what_a_machine_says_is_shown_as_text(fleet: Visitor) -> None:
    for path in ("/machines/m0007", "/machines/m0007/inventory", "/machines/m0007/timeline"):
        assert HOSTILE in said(await fleet.get(path))


async def test_the_timeline_as_text_keeps_one_entry_on_one_line(fleet: Visitor) -> None:
    text = await fleet.get(f"/machines/{fleet.machines['node-19']}/timeline.txt")
    assert "sent the maintenance stack (no deployment is assigned)" in text
    assert len(text.splitlines()) == 2 + 10


@pytest.mark.parametrize("path", EMPTY)
async def test_where_nothing_is_the_next_step_is(tmp_path: Path, path: str) -> None:
    async with visitor(tmp_path, fleet=False) as someone:
        await someone.log_in()
        page = said(await someone.get(path))
        assert "On the command line: qrm" in page


async def test_a_machine_is_shown_with_state_flag_and_offline(fleet: Visitor) -> None:
    page = await fleet.get("/machines?q=node-21")
    row = said(page[page.index("<tbody>") : page.index("</tbody>")])
    assert row.startswith("broken maintenance offline node-21")
    assert "1 of 15 machines" in said(page)


async def test_the_filter_finds_by_serial_mac_and_model(fleet: Visitor) -> None:
    for words in ("WD-0003K7", "52:54:00:a1:00:13", "optiplex node-18"):
        assert "1 of 15" in said(await fleet.get(f"/machines?q={words}"))


async def test_what_cannot_be_done_says_why(fleet: Visitor) -> None:
    page = said(await fleet.get("/deployments/web-1"))
    assert "Not possible: web-1 is wanted running already" in page
    assert "Not possible: it is on a machine; release it first" in page
    assert "Not possible: node-11 is assigned to web-1; release web-1 first" in said(await fleet.get("/machines/m0000"))


async def test_progress_counts_all_steps(fleet: Visitor) -> None:
    page = await fleet.get("/machines/m0003")
    assert "28%" in said(page)  # 2 of 22 parts are done with the first step, and 43% of the 10 that writing takes
    assert 'value="0.2864"' in page


async def test_events_are_paged_by_number(fleet: Visitor) -> None:
    first = await fleet.get("/events")
    older = re.search(r'href="(/events\?before=\d+)"', first)
    assert older
    second = await fleet.get(older[1])
    ids = [set(re.findall(r'id="event-(\d+)"', page)) for page in (first, second)]
    assert all(ids)
    assert not ids[0] & ids[1]


async def test_errors_are_pages_too(fleet: Visitor) -> None:
    assert "There is no machine 'nope'" in said(await fleet.get("/machines/nope", 404))
    assert "There is nothing at this address" in said(await fleet.get("/nowhere", 404))
    assert "There is no such page" in said(await fleet.get("/deployments/web-1/explode", 404))


async def test_static_files_may_be_kept_for_ever(fleet: Visitor) -> None:
    page = await fleet.get("/")
    for address in re.findall(r'(?:src|href)="(/static/[^"#]+)"', page):
        async with fleet.client.get(address) as response:
            assert response.status == 200, address
            assert "immutable" in response.headers["Cache-Control"]
    async with fleet.client.get("/static/0123/base.css") as response:
        assert response.headers["Cache-Control"] == "no-cache"
    for address in ("/static/0123/../app.py", "/static/0123/%2e%2e/app.py", "/static/0123/nothing.css"):
        async with fleet.client.get(address) as response:
            assert response.status in (401, 404), address


async def test_the_console_is_closed_to_strangers(tmp_path: Path) -> None:
    async with visitor(tmp_path) as stranger:
        for path in PAGES:
            async with stranger.client.get(path, headers=stranger.headers, allow_redirects=False) as response:
                assert response.status == 303, path
                assert response.headers["Location"].startswith("/login"), path


UNSEEN = {"/machines/{key}/timeline.txt", "/login", "/setup"} | {each.path for each in ROUTES if "/setup/" in each.path}
UNSEEN |= {"/network/interfaces/{name}/edit", "/network/interfaces/{name}/delete"}
UNSEEN |= {each.path for each in ROUTES if each.path.startswith("/settings/general/subnets/")}
"""A text; the doors, which whoever is logged in does not see; set-up in steps, interfaces and subnets of a flashed
appliance: they have their own tests."""


def test_every_page_is_in_the_list() -> None:
    """The other tests of pages go by it."""
    paths = [page.partition("?")[0] for page in PAGES]
    for route in ROUTES:
        if route.method != "GET" or route.path in UNSEEN:
            continue
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(route.path))
        assert any(re.fullmatch(pattern, path) for path in paths), route.path
