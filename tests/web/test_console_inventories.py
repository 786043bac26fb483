"""Whatever an agent sends as an inventory: it is refused, or every page that shows it is there."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from console_client import Visitor, said, visitor
from console_seed import disk, inventory

from appliance.errors import Invalid
from appliance.machine import MachineId
from appliance.reconcile.inventory import checked
from appliance.store import machines

KEY = MachineId("m0007")
MAC = "52:54:00:a1:00:17"
FOUND = inventory(MAC, "uefi", [disk("sda", "S1", 480_103_981_056, "GPT with ext4 'root'")], "PowerEdge", 64)
FOREIGN: tuple[Any, ...] = (None, True, -1, 5, 2**80, 1.5, "x", "", [1], ["x"], [None], [{}], {}, {"a": 1})
READERS = (
    f"/machines/{KEY}/inventory",
    f"/machines/{KEY}",
    "/machines?sort=memory&q=dell",
    f"/deployments/new?machine={KEY}&image=debian-13",
    "/",
)
Place = tuple[str | int, ...]


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Every place in an inventory; of a list its first entry stands for all."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value[:1]))
    for name, each in inner:
        yield (*above, name)
        yield from places(each, (*above, name))


def bent(place: Place, value: object) -> dict[str, Any]:
    """An inventory in which one place holds this value."""
    made = deepcopy(FOUND)
    inner: Any = made
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return made


def accepted(given: dict[str, Any]) -> bool:
    try:
        checked(given)
    except Invalid:
        return False
    return True


def test_an_inventory_as_agents_send_it_is_taken() -> None:
    assert MAC in checked(FOUND)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("board",), "x"),
        (("bios",), [1]),
        (("pci",), 5),
        (("bmc",), "x"),
        (("cpu", "flags"), 5),
        (("memory", "modules"), 5),
        (("disks", 0, "content", "partitions"), 5),
        (("disks", 0, "content", "partitions", 0, "bytes"), "x"),
        (("nics", 0, "addresses"), 5),
        (("secure_boot",), []),
        (("cpu", "flags"), ["x"] * 5000),
        (("pci",), [{}] * 5000),
        (("kernel",), "x" * 2000),
    ],
)
def test_what_no_page_can_show_is_refused(place: Place, value: object) -> None:
    assert not accepted(bent(place, value))


@pytest.mark.parametrize("part", sorted(FOUND))
async def test_what_is_taken_is_shown(tmp_path: Path, part: str) -> None:
    taken = [
        (place, value)
        for place in ((part,), *places(FOUND[part], (part,)))
        for value in FOREIGN
        if accepted(bent(place, value))
    ]
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        for place, value in taken:
            await _shown(someone, place, value)


async def _shown(someone: Visitor, place: Place, value: object) -> None:
    await someone.services.store.write(lambda db: machines.put_inventory(db, KEY, bent(place, value)))
    for page in READERS:
        text = said(await someone.get(page))
        assert not re.search(r"\bNone\b(?! found)", text), f"{page} with {value!r} at {place}"
