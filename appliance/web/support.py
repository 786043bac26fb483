"""Gathers what a support bundle holds, each part from whoever knows it; what cannot be had is named in it."""

import asyncio
import json
import platform
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from aiohttp import web

from appliance import __version__, command
from appliance.accounts import Asker
from appliance.errors import ApplianceError
from appliance.machine import Machine
from appliance.privileged.verbs.journal import SOURCES, Lines
from appliance.reconcile.views import views_of
from appliance.store import deployments, events, leases, machines
from appliance.store.census import census
from appliance.store.documents import load, rows
from appliance.task import Task
from appliance.web.api.health import health_out
from appliance.web.health import Health
from appliance.web.services import Services

EVENTS, AUDIT, TASKS = 5000, 1000, 300
"""How many of the last ones are in a bundle."""
JOURNAL_LINES = 3000
SECONDS = 20.0
NETWORK = (
    ("links", ("ip", "-json", "-details", "link")),
    ("addresses", ("ip", "-json", "address")),
    ("routes", ("ip", "-json", "route", "show", "table", "all")),
    ("neighbours", ("ip", "-json", "neighbour")),
)
"""What is asked of the kernel about the network."""
_OF_MACHINE = (
    "id", "name", "state", "macs", "uuid", "serial", "firmware", "maintenance", "address", "created", "last_seen",
    "failed_from", "failed_code", "failed_reason", "hand_over", "boot_program", "secure_boot", "tags",
)  # fmt: skip
"""What is told of a machine: the rest may hold what nobody has to see."""
_OF_LEASE = ("interface", "address", "mac", "hostname", "state", "until")
_OF_DEPLOYMENT = (
    "id", "name", "image", "delivery", "machine", "wanted", "wanted_machine", "generation", "wipe_on_release",
    "wipe_method", "created",
)  # fmt: skip
_OF_ENTRY = ("at", "who", "role", "via", "address", "action", "kind", "subject", "name", "outcome")
"""Of the audit log who did what; not what a value was before and after."""
_OF_TASK = ("id", "kind", "title", "owner", "created", "status", "message", "machine", "ended", "code", "reason")


class Support:
    """Makes bundles."""

    def __init__(self, services: Services, health: Health) -> None:
        self._services, self._health = services, health
        self._making = asyncio.Lock()

    async def bundle(self, by: Asker) -> bytes:
        """A whole bundle, a gzipped tar. One is made at a time."""
        from appliance.support.bundle import as_json, as_lines, bundle  # nobody at rest has a use for it

        async with self._making:
            problems: list[str] = []
            gathered: list[tuple[str, Callable[[str, Any], Any], Callable[[], Awaitable[Any]]]] = [
                ("about.json", as_json, lambda: self._about(by)),
                ("configuration.json", as_json, self._configuration),
                ("health.json", as_json, self._health_facts),
                ("packages.json", as_json, self._packages),
                ("machines.json", as_json, self._machines),
                ("deployments.json", as_json, lambda: self._every(deployments.every, _OF_DEPLOYMENT)),
                ("subnets.json", as_json, self._subnets),
                ("leases.json", as_json, lambda: self._every(leases.every, _OF_LEASE)),
                ("pools.json", as_json, self._pools),
                ("tasks.json", as_json, self._tasks),
                ("events.jsonl", as_lines, self._events),
                ("audit.jsonl", as_lines, self._audit),
                ("metrics.txt", _as_text, self._metrics),
                ("network.json", as_json, self._network),
                *(
                    (f"journal/{unit.removesuffix('.service')}.txt", _as_text, self._journal_of(unit))
                    for unit in SOURCES
                    if self._services.privileged.here
                ),
            ]
            parts = [part for each in gathered if (part := await self._part(*each, problems)) is not None]
            if not self._services.privileged.here:
                problems.append("journals: this computer is no flashed appliance; its journals are in journalctl(1)")
            parts.append(_as_text("problems.txt", "".join(f"{each}\n" for each in problems) or "none\n"))
            known = await self._known()
            return await asyncio.to_thread(bundle, parts, known, self._services.clock())

    async def _part(
        self, name: str, shape: Callable[[str, Any], Any], gather: Callable[[], Awaitable[Any]], problems: list[str]
    ) -> Any:
        """One file; None, and a line about it, where it cannot be had: a broken part is why somebody asks for help."""
        try:
            async with asyncio.timeout(SECONDS):
                return shape(name, await gather())
        except (ApplianceError, OSError, TimeoutError) as error:
            problems.append(f"{name}: {getattr(error, 'message', None) or error or 'it took too long'}")
            return None

    async def _known(self) -> list[str]:
        """Secrets that the daemon can read, and that must not be in the bundle, whatever they look like."""
        return await self._services.power_wishes.secrets()

    async def _about(self, by: Asker) -> dict[str, Any]:
        return {
            "version": __version__,
            "image": await self._health.version(),
            "python": sys.version.split()[0],
            "kernel": platform.release(),
            "machine": platform.machine(),
            "name": self._health.name,
            "at": self._services.clock(),
            "asked_by": by.name,
            "trouble": self._services.trouble(),
        }

    async def _configuration(self) -> dict[str, Any]:
        return self._services.config

    async def _pools(self) -> Any:
        from appliance.store.pools import described

        return msgspec.to_builtins(await self._services.store.read(described))

    async def _health_facts(self) -> Any:
        report = await self._health.report()
        told = msgspec.to_builtins(health_out(self._health.name, await self._health.version(), report))
        services = [msgspec.to_builtins(each) for each in report.facts.units or ()]
        slots = msgspec.to_builtins(report.facts.slots) if report.facts.slots else None
        smart = {each.name: msgspec.to_builtins(said) if said else None for each, said in report.facts.disks or ()}
        return {**told, "services": services, "slots": slots, "smart": smart}

    async def _packages(self) -> Any:
        return [{"name": each.name, "version": each.version} for each in await self._health.packages()]

    async def _machines(self) -> Any:
        def job(db: sqlite3.Connection) -> list[dict[str, Any]]:
            found: list[Machine] = machines.every(db)
            attempts = {view.machine.id: view.attempt for view in views_of(db, found)}
            return [{**_chosen(each, _OF_MACHINE), "attempt": _attempt(attempts.get(each.id))} for each in found]

        return await self._services.store.read(job)

    async def _every(self, read: Callable[[sqlite3.Connection], Iterable[Any]], names: Iterable[str]) -> Any:
        chosen = tuple(names)
        return [_chosen(each, chosen) for each in await self._services.store.read(lambda db: list(read(db)))]

    async def _subnets(self) -> Any:
        return [str(each) for each in await self._services.network.subnets()]

    async def _tasks(self) -> Any:
        sql = "SELECT doc FROM tasks ORDER BY id DESC LIMIT ?"
        return await self._every(lambda db: [load(row[0], Task) for row in rows(db, sql, TASKS)], _OF_TASK)

    async def _events(self) -> Any:
        found = await self._services.store.read(lambda db: events.query(db, limit=EVENTS))
        return [msgspec.to_builtins(each) for each in found]

    async def _audit(self) -> Any:
        sql = f"SELECT {', '.join(_OF_ENTRY)} FROM audit ORDER BY id DESC LIMIT ?"  # noqa: S608 - names of ours
        found = await self._services.store.read(lambda db: list(rows(db, sql, AUDIT)))
        return [dict(zip(_OF_ENTRY, row, strict=True)) for row in found]

    async def _metrics(self) -> str:
        page = self._services.metrics.page(await self._services.store.read(census))
        return page.decode() if isinstance(page, bytes) else str(page)

    async def _network(self) -> Any:
        found = {}
        for name, argv in NETWORK:
            try:
                found[name] = json.loads(await command.said(list(argv), {"LC_ALL": "C.UTF-8"}, 10.0) or "null")
            except (ApplianceError, ValueError) as error:
                found[name] = f"not known: {error}"
        return found

    def _journal_of(self, unit: str) -> Callable[[], Awaitable[str]]:
        async def gather() -> str:
            found = await self._services.privileged.call(Lines(unit, JOURNAL_LINES))
            return "\n".join(found.lines) + "\n"

        return gather


def _chosen(of: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: _plain(getattr(of, name)) for name in names if hasattr(of, name)}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _attempt(of: Any) -> dict[str, Any] | None:
    names = ("id", "kind", "status", "started", "ended", "code", "reason", "progress", "message")
    return _chosen(of, names) if of is not None else None


def _as_text(name: str, text: str) -> Any:
    from appliance.support.bundle import Part

    return Part(name, text)


SUPPORT = web.AppKey("support", Support)
"""``request.app[SUPPORT]``."""
