"""What a large fleet leaves behind besides its machines: tasks that ended, the audit log, strangers on the network."""

import sqlite3
from collections.abc import Iterable

from appliance.sighting import Sighting, Stage
from appliance.store import audit, tasks
from appliance.store.documents import dump
from appliance.store.sightings import search_text
from appliance.store.store import Store
from appliance.task import Status, Task, TaskId
from tests.benchmarks.fleet import machine_id

SLICE = 2000
PEOPLE = ("bench", "ada", "bob", "eva")
ACTIONS = ("machine.change", "deployment.start", "user.log-in", "reservation.add", "image.create")


async def fill_history(store: Store, *, fleet: int, many_tasks: int, entries: int, strangers: int, now: float) -> None:
    """Store so many tasks that ended, entries of the audit log, and interfaces that are no machine's."""
    for numbers in _slices(many_tasks):
        await store.write(lambda db, numbers=numbers: _put_tasks(db, numbers, fleet, now))
    for numbers in _slices(entries):
        await store.write(lambda db, numbers=numbers: _put_entries(db, numbers, now - entries))
    for numbers in _slices(strangers):
        await store.write(lambda db, numbers=numbers: _put_strangers(db, numbers, now))


def _slices(many: int) -> Iterable[range]:
    return (range(start, min(start + SLICE, many)) for start in range(0, many, SLICE))


def _put_tasks(db: sqlite3.Connection, numbers: range, fleet: int, now: float) -> None:
    for number in numbers:
        machine = machine_id(number % fleet)
        failed = number % 50 == 0
        made = Task(
            TaskId(0),
            "machine.rescue",
            f"Rescue node-{number % fleet}",
            PEOPLE[number % len(PEOPLE)],
            now - 100_000 + number,
            Status.FAILED if failed else Status.DONE,
            machine=machine,
            code="deadline" if failed else "",
            reason="nothing was heard of it in time" if failed else "",
            ended=now - 99_000 + number,
        )
        tasks.add(db, made)


def _put_entries(db: sqlite3.Connection, numbers: range, start: float) -> None:
    for number in numbers:
        action = ACTIONS[number % len(ACTIONS)]
        entry = audit.Entry(
            start + number,
            PEOPLE[number % len(PEOPLE)],
            "admin",
            "session",
            f"192.0.2.{number % 250}",
            action,
            action.partition(".")[0],
            str(number % 10_000),
            f"node-{number % 10_000}",
            before={"notes": "as it was", "tags": ["rack-1"]},
            after={"notes": "as it became", "tags": ["rack-1", "prod"]},
        )
        audit.add(db, entry)


def _put_strangers(db: sqlite3.Connection, numbers: range, now: float) -> None:
    made = [
        Sighting(
            f"52:54:02:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            "br0",
            now - 90_000,
            now - number,
            Stage(number % len(Stage) + min(Stage)),
            now - number,
            asked=4,
            firmware="bios",
            vendor_class="PXEClient:Arch:00000:UNDI:002001",
            hostname=f"printer-{number}",
            address=f"10.80.{number >> 8 & 255}.{number & 255}",
        )
        for number in numbers
    ]
    db.executemany(
        "INSERT INTO sightings(mac, interface, first, last, stage, search, doc) VALUES(?,?,?,?,?,?,?)",
        [(s.mac, s.interface, s.first, s.last, s.stage.value, search_text(s), dump(s)) for s in made],
    )
