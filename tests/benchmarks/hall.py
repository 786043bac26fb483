"""What ten thousand idle machines cost the daemon: each asks every fifty seconds whether there is work, for ever."""

import asyncio
import json
import secrets
import sqlite3
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from appliance.store import machines, tokens
from appliance.store.documents import rows
from appliance.store.store import open_store
from appliance.store.tokens import MachineSession
from tests.benchmarks.arena import SERVER, Arena, arena
from tests.benchmarks.bench import say
from tests.benchmarks.daemons import our_daemon
from tests.benchmarks.figure import Figure
from tests.benchmarks.fleet import NOW, fill

NAME = "idle-hall"
MACHINES = 10_000
SETTLING, SECONDS = 90, 100
"""Seconds until all wait, and seconds of watching: two polls of each."""
MOST_MEGABYTES, MOST_PERCENT = 400, 5
ADDRESSES = "10.77.64.0/18"
"""Those that the machines ask from."""


async def measure() -> list[Figure]:
    """Memory and processor time of the daemon over `SECONDS`."""
    with arena() as where, TemporaryDirectory(prefix="bench-hall-") as made:
        directory = Path(made)
        (directory / "polls.json").write_text(json.dumps(await _filled(directory)))
        await where.ask("ip", "route", "add", "local", ADDRESSES, "dev", "lo")
        await where.behind_one(ADDRESSES)
        async with our_daemon(where, directory, "10.77.1.0-10.77.1.250") as pid:
            return await _watched(where, psutil.Process(pid), directory)


async def _filled(directory: Path) -> list[str]:
    """A state in which every machine is in the maintenance stack; their poll ids."""
    (directory / "state").mkdir(mode=0o700)
    async with open_store(directory / "state" / "store.db") as store:
        await fill(store, machines=MACHINES, deployments=0, events=0, leases=0)
        return await store.write(_sessions)


def _sessions(db: sqlite3.Connection) -> list[str]:
    """Every machine idle, with a session; nothing goes on."""
    db.execute("DELETE FROM attempts WHERE status = 'live'")
    every = [machine.id for machine in machines.every(db)]
    polls = {machine: secrets.token_hex(16) for machine in every}
    for machine, poll in polls.items():
        made = MachineSession(tokens.hash_token(secrets.token_hex(32)), machine, poll, None, NOW)
        db.execute(
            "INSERT INTO machine_sessions(hash, machine, poll, attempt, created, proven) VALUES(?,?,?,?,?,?)",
            (made.hash, made.machine, made.poll, made.attempt, made.created, made.proven),
        )
    assert len(rows(db, "SELECT 1 FROM machine_sessions")) == MACHINES
    return list(polls.values())


async def _watched(where: Arena, daemon: psutil.Process, directory: Path) -> list[Figure]:
    argv = [sys.executable, "-m", "tests.benchmarks.simulated.polls", str(directory / "polls.json"), SERVER]
    hall = await asyncio.create_subprocess_exec(
        *where.as_client(*argv, "--seconds", str(SETTLING + SECONDS)), stdout=asyncio.subprocess.PIPE
    )
    try:
        await asyncio.sleep(SETTLING)
        say(f"watching the daemon for {SECONDS} s")
        before = sum(daemon.cpu_times()[:2])
        await asyncio.sleep(SECONDS - 5)
        percent = (sum(daemon.cpu_times()[:2]) - before) / (SECONDS - 5) * 100
        megabytes = daemon.memory_info().rss / 1e6
        said, _ = await hall.communicate()
    finally:
        if hall.returncode is None:
            hall.kill()
    outcome = json.loads(said)
    detail = f"{outcome['answered']} polls answered"
    what = f"{MACHINES} idle machines"
    unanswered = outcome["failed"] + outcome["lost"]
    return [
        Figure(NAME, f"{what}: polls that nobody answered", unanswered, "", 0, detail),
        Figure(NAME, f"{what}: memory of the daemon (RSS)", megabytes, "MB", MOST_MEGABYTES, detail),
        Figure(NAME, f"{what}: processor time of the daemon", percent, "% of a core", MOST_PERCENT, detail),
    ]
