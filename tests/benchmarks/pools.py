"""A clone of a golden image of 100 GiB against ``lvcreate -s``, and an NFS export against ``exportfs``, by the guest.

What the daemon calls (the pool driver, the helper's verbs by its socket) and the bare programs, in turns, in a virtual
machine with real LVM and nfsd. Its processor is emulated: programs take ten times as long there, whoever starts them.
"""

import asyncio
import json
from statistics import median

from appliance.errors import ApplianceError
from tests.benchmarks.bench import say
from tests.benchmarks.figure import Figure
from tests.guest.outside.artefact import built
from tests.guest.outside.guest import Guest, GuestDied, GuestFailed
from tests.guest.outside.machine import Machine

NAME = "pools"
ROUNDS = 9
DISK_BYTES = 128 << 30
"""Of each scratch disk, sparse: a pool has to be larger than the golden image."""
SECONDS = 3600.0
CLONE_MOST, EXPORT_MOST = 1.3, 1.5


async def measure() -> list[Figure]:
    """Medians of all rounds."""
    found = await asyncio.to_thread(_measured)
    return figures(found["clone"], found["export"])


def _measured() -> dict[str, dict[str, list[float]]]:
    machine = Machine(built(), DISK_BYTES)
    try:
        say("booting the guest")
        guest = Guest(machine)
        guest.boot()
        say(f"{ROUNDS} rounds in it")
        said = guest.run(["python3", "-m", "tests.guest.inside.measured", str(ROUNDS)], seconds=SECONDS)
        found: dict[str, dict[str, list[float]]] = json.loads(said.stdout)
        return found
    except (GuestDied, GuestFailed) as error:
        raise ApplianceError("bench-guest", str(error)) from error
    finally:
        machine.close()


def figures(clone: dict[str, list[float]], export: dict[str, list[float]]) -> list[Figure]:
    """From the seconds of each round, by who did it. An export is held against what makes it: a mount goes before."""
    return [
        _ratio("clone of a golden image of 100 GiB / lvcreate -s", clone, "lvcreate -s", CLONE_MOST),
        _ratio("NFS export to ready / mount and exportfs", export, "mount, exportfs", EXPORT_MOST),
        _ratio("NFS export to ready / exportfs of what is mounted", export, "exportfs", None),
    ]


def _ratio(what: str, seconds: dict[str, list[float]], peer: str, most: float | None) -> Figure:
    ours, theirs = seconds["ours"], seconds[peer]
    detail = f"{median(ours):.2f} s ({_span(ours)}) / {median(theirs):.2f} s ({_span(theirs)}), {len(ours)} rounds"
    return Figure(NAME, what, median(ours) / median(theirs), "", most, detail)


def _span(seconds: list[float]) -> str:
    return f"{min(seconds):.2f} to {max(seconds):.2f}"
