"""One act on many, from the lists."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor

from appliance.store import machines, tasks


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_tags_are_given_to_those_that_were_chosen(fleet: Visitor) -> None:
    path = "/machines/bulk?chosen=m0005&chosen=m0006&action=tag"
    page = said(await fleet.get(path))
    assert "Tag: 2 machines" in page
    assert "node-16 node-17" in page
    told = await fleet.post(path, data={"tags": "spare, cold"})
    task = await fleet.services.store.read(lambda db: tasks.get(db, told.rpartition("/")[2]))
    assert (task.title, task.owner, task.job) == ("Tag 2 machines", "admin", True)
    assert [item.name for item in await fleet.services.store.read(lambda db: tasks.items(db, task.id))] == [
        "node-16",
        "node-17",
    ]


async def test_all_that_match_are_meant_by_the_filter(fleet: Visitor) -> None:
    page = said(await fleet.get("/machines/bulk?all=1&state=idle&action=maintenance-on"))
    assert "Put into maintenance: 3 machines" in page
    assert "Put into maintenance: 4 machines" in said(
        await fleet.get("/machines/bulk?all=1&state=maintenance&action=maintenance-on")
    )


async def test_what_destroys_wants_their_number_typed(fleet: Visitor) -> None:
    path = "/machines/bulk?all=1&state=idle&action=delete"
    page = await fleet.post(path, 422, data={"confirm": "2 machines"})
    assert "This is not it. Type exactly: 3 machines" in said(page)
    assert len(await fleet.services.store.read(machines.briefs)) == 15
    assert (await fleet.post(path, data={"confirm": "3 machines"})).startswith("/tasks/")


async def test_nothing_chosen_and_nothing_said(fleet: Visitor) -> None:
    assert "No machine is meant" in said(await fleet.get("/machines/bulk?action=tag", 422))
    choices = said(await fleet.get("/deployments/bulk?chosen=1"))
    for word in ("Start", "Stop", "Retry", "Release", "Delete"):
        assert word in choices
    assert "Tags" in said(await fleet.post("/machines/bulk?chosen=m0005&action=tag", 422, data={"tags": ""}))


async def test_groups_are_counted_and_lead_on(fleet: Visitor) -> None:
    page = await fleet.get("/machines?group=tag&state=active")
    assert "group=tag" in re.findall(r"id=\"live\" hx-get=\"([^\"]*)\"", page)[0]
    assert "rack-8" in said(page)
    by_state = await fleet.get("/machines?group=state")
    assert 'href="/machines?state=idle"' in by_state
    assert 'href="/machines/bulk?all=1&amp;state=idle"' in by_state
