"""What a hostile computer, colleague or browser may say, put wherever the appliance keeps words of others."""

import sqlite3
from dataclasses import replace
from typing import Any

import msgspec
from console_seed_storage import LAB, LOST, PaperHelper
from console_server import Console

from appliance.accounts import Asker, Role
from appliance.events import Event
from appliance.machine import MachineId, State
from appliance.reconcile import audit
from appliance.reconcile.pool_news import Told
from appliance.sighting import Sighting, Stage
from appliance.store import boot_messages, catalogue, events, isos, machines, pools, sightings, tasks
from appliance.store.boot_messages import BootMessages
from appliance.store.log_ins import LogIn, LogInToken
from appliance.task import Status, Task, TaskId, begun, ended
from appliance.volume import PoolId

STRINGS = {
    "script": "<script>window.owned=1</script><img src=x onerror=window.owned=1>",
    "attribute": "\"'><svg onload=window.owned=1><a href=javascript:window.owned=1 x='",
    "template": "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "terminal": "\x1b]0;owned\x07\x1b[31mred\x1b[2J\x9b1m\x00\x07\b\r",
    "turned": "\u202egnp.exe \u2067\u202dtruck\u200f",
    "long": "W" * 10_000,
}
WORST = STRINGS["script"] + STRINGS["attribute"] + STRINGS["turned"] + STRINGS["template"]
MACHINE = MachineId("m0007")
ASKING = MachineId("r77")


async def be_hostile(serving: Console, said: str) -> None:
    """Put ``said`` into all that machines, users and their browsers can say."""
    now = serving.services.clock()

    def job(db: sqlite3.Connection) -> None:
        _machine(db, said, now)
        _catalogue(db, said)
        _network(db, said, now)
        _people(db, said, now)
        _volumes(db, said)

    await serving.services.store.write(job)
    _storage(serving, said)


def poisoned(value: Any, said: str) -> Any:
    """A document with every text replaced; numbers, names of fields and what is empty stay."""
    if isinstance(value, dict):
        return {name: poisoned(each, said) for name, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each, said) for each in value]
    return said if isinstance(value, str) else value


def _machine(db: sqlite3.Connection, said: str, now: float) -> None:
    machine = machines.get(db, MACHINE)
    assert machine.inventory
    machines.put_inventory(db, MACHINE, poisoned(machine.inventory, said))
    failed = replace(
        machine, state=State.FAILED, failed_reason=said, failed_from=State.DEPLOYING, serial=said, notes=said
    )
    machines.put(db, failed)
    machines.put(db, replace(machines.get(db, ASKING), serial=said, notes=said))
    boot_messages.put(db, MACHINE, "boot-2", BootMessages(boot_messages.STACK, now, said + "\n" + said))
    for kind in ("dhcp.seen", "agent.started", "attempt.failed"):
        events.add(db, Event(kind, now, said, said, MACHINE, None, {"host_name": said, said: said}))
    made = Task(TaskId(0), "deployment.start", said, said, now - 5, machine=MACHINE)
    stored = begun(tasks.add(db, made), None)
    tasks.put(db, ended(stored, Status.FAILED, now, "step-failed", said))
    tasks.note(db, stored.id, now, said)


def _catalogue(db: sqlite3.Connection, said: str) -> None:
    for name in ("debian-13", "live-13"):
        catalogue.change_image(db, replace(catalogue.image(db, name), description=said))
    for iso in isos.every(db):
        isos.change(db, replace(iso, description=said, label=said))
    kernel = catalogue.kernel(db, "maintenance")
    catalogue.change_kernel(db, replace(kernel, version=said, cmdline=said))


def _network(db: sqlite3.Connection, said: str, now: float) -> None:
    heard = Sighting("52:54:00:b2:00:01", "br0", now, now, Stage.OFFERED, now, 1, 1, hostname=said, vendor_class=said,
                     user_class=said, file=said, reason=said)  # fmt: skip
    sightings.take(db, [heard])


def _people(db: sqlite3.Connection, said: str, now: float) -> None:
    from appliance.store import log_ins

    log_in = LogIn("sx", "admin", now, now, now + 1000, "192.0.2.9", said)
    log_ins.add(db, log_in, LogInToken("xx", log_in.id, now))
    by = Asker("eva", Role.OPERATOR, "192.0.2.31")
    audit.note(db, by, "machine.change", ("machine", "m0007", said), {"notes": said}, {"notes": said}, now=now)
    audit.note_failure(db, said, "198.51.100.66", "user.log-in", now=now, after={"reason": said})


def _volumes(db: sqlite3.Connection, said: str) -> None:
    """Names that nobody has checked: what is kept of a volume that is gone, the last words about a pool."""
    gone = pools.volume(db, LOST)
    assert gone
    pools.put_volume(db, replace(gone, name=said))
    pools.put_told(db, PoolId(LAB), Told(trouble=said))


def _storage(serving: Console, said: str) -> None:
    """What LVM, disks and file systems are called is anybody's."""
    helper = serving.services.storage().rooms.on.helper
    assert isinstance(helper, PaperHelper)
    fast, old = helper.groups
    foreign = [msgspec.structs.replace(each, name=said) for each in (fast.volumes[-1], old.volumes[0])]
    members = tuple(msgspec.structs.replace(each, device=said) for each in fast.members)
    helper.groups = [
        msgspec.structs.replace(fast, volumes=(*fast.volumes[:-1], foreign[0]), members=members),
        msgspec.structs.replace(old, name=said, volumes=(foreign[1],)),
    ]
    helper.disks = [msgspec.structs.replace(each, model=said, holds=[said]) for each in helper.disks]
