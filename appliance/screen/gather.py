"""Looks at the computer for the screen. Each source may fail by itself: the others are shown all the same."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from appliance import __version__, command
from appliance.config import Config, load
from appliance.decoding import decoded
from appliance.errors import ApplianceError
from appliance.installer import stick
from appliance.privileged.computer import Computer
from appliance.privileged.network_state import NetworkState
from appliance.privileged.services import states
from appliance.privileged.verbs.services import States
from appliance.screen import book, judge
from appliance.screen.facts import Facts, Happened, Service
from appliance.updates.record import parse as parse_record

T = TypeVar("T")
EVENTS = 40
SETUP_SECONDS = 24 * 3600.0
"""How long a set-up link is good; ``GOOD_FOR`` of ``web/setup``, which would bring a web server along."""
PROGRAMS_SECONDS = 10.0
"""What programs said is believed for so long: two screens look every few seconds, for years."""
CONSOLE_PORT = 8443
PATIENCE = 3.0
"""Seconds that one source may take; a disk that hangs keeps its thread, and nobody else."""
_NO_SERVICES: tuple[Service, ...] = ()
_NOTHING: tuple[tuple[Happened, ...], bool] = ((), False)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the screen looks."""

    configs: tuple[Path, ...] = (Path("/etc/qrm/appliance.toml"), Path("/usr/share/qrm/first.toml"))
    """The first that is there counts."""
    command_line: Path = Path("/proc/cmdline")
    record: Path = Path("/state/updates/record.json")
    seed_problem: Path = Path("/run/appliance/seed-problem")
    """Why a seed was not applied, in one line."""
    start_problem: Path = Path("/run/appliance/start-problem")
    """What keeps the appliance from starting, in one line."""
    attempts: Path = Path("/run/appliance-screen/attempts.json")
    sys: Path = Path("/sys")
    qrm_disks: Path = Path("/dev/disk/qrm")


@dataclass(frozen=True, slots=True)
class Network:
    """What the files of the networks say."""

    until: float | None = None
    """Until when a change is tried, Unix time."""
    told: list[str] = field(default_factory=list)
    """What is to be known of the last change."""
    managed: frozenset[str] | None = None
    """Interfaces by which the console is reached; None on a computer whose networks are not ours: all of them."""


@dataclass
class Gatherer:
    """Looks again and again; remembers what hangs, so that nothing is asked twice at once."""

    places: Places = field(default_factory=Places)
    computer: Computer = field(default_factory=Computer)
    _said: dict[str, tuple[float, Any]] = field(default_factory=dict)
    _hanging: dict[str, "asyncio.Future[Any]"] = field(default_factory=dict)

    async def look(self) -> Facts:
        """Everything as it is now."""
        warnings = list[str]()
        config = await self._beside("configuration", self.config, Config(), warnings)
        state_dir = config.site.state_dir
        links, routes, services, said = await self._kept("programs", self._from_programs)
        warnings += said
        words = judge.command_line(_text(self.places.command_line))
        told = await self._beside("store", lambda: _from_store(state_dir), _NOTHING, warnings)
        warnings += await self._beside("state partition", lambda: _room(state_dir), [], warnings)
        warnings += await self._beside("updates", lambda: self._update(words.get("rauc.slot", "")), [], warnings)
        network = await self._beside("network settings", self._network, Network(), warnings)
        warnings += network.told
        if seed := _text(self.places.seed_problem).partition("\n")[0].strip():
            warnings.append(f"The seed was not applied: {seed}")
        if problem := _text(self.places.start_problem).partition("\n")[0].strip():
            warnings.append(f"The appliance does not start: {problem}.")
        now = time.time()
        setup = "" if told[1] else _text(state_dir / "setup-url").partition("\n")[0].strip()
        return Facts(
            at=now,
            clock=time.strftime("%H:%M:%S", time.localtime(now)),
            host=socket.gethostname(),
            version=__version__,
            slot=words.get("rauc.slot", ""),
            urls=judge.urls(config.web.listen, links, routes, network.managed),
            no_address=judge.no_address(links, network.managed),
            fingerprint=_text(state_dir / "ca-fingerprint").strip(),
            setup=setup,
            setup_expired=bool(setup) and now - _changed(state_dir / "setup-url") >= SETUP_SECONDS,
            services=services,
            events=told[0],
            warnings=tuple(warnings),
            network_until=network.until,
            may_install="qrm.install" in words or (not told[1] and self.is_removable()),
            is_installer="qrm.install" in words,
            utc_offset=float(time.localtime(now).tm_gmtoff),
        )

    def config(self) -> Config:
        """The configuration that the daemon runs with; raises ApplianceError for one that is wrong."""
        for path in self.places.configs:
            if path.exists():
                return load(path)
        return Config()

    def is_appliance(self) -> bool:
        """Whether this computer was flashed: its boot loader says so to the kernel."""
        return "qrm.appliance" in judge.command_line(_text(self.places.command_line))

    def source_disk(self) -> Path | None:
        """The disk that root is on; None where this is no flashed appliance."""
        return stick.source_disk(self.places.qrm_disks, self.places.sys)

    def is_removable(self) -> bool:
        """Whether root is on a stick."""
        return stick.is_removable(self.places.qrm_disks, self.places.sys)

    def _network(self) -> Network:
        state = NetworkState(self.computer.roots)
        trial, said = state.tried(), judge.taken_back(state.reverted(), time.time())
        layout = trial.layout if trial else state.confirmed()
        managed = frozenset(each.name for each in layout.with_role("management")) if layout else None
        if layout is None and self.is_appliance():
            managed = frozenset()  # no card was there when it started, and the firewall is shut
        return Network(trial.until if trial else None, [said] if said else [], managed)

    def _update(self, slot: str) -> list[str]:
        with suppress(FileNotFoundError):
            said = judge.update(parse_record(self.places.record.read_bytes()), slot)
            return [said] if said else []
        return []

    async def _kept(self, name: str, ask: Callable[[], Awaitable[T]]) -> T:
        """What was said lately, or is said now."""
        at, said = self._said.get(name, (-PROGRAMS_SECONDS, None))
        if time.monotonic() - at >= PROGRAMS_SECONDS:
            said = await ask()
            self._said[name] = time.monotonic(), said
        return cast("T", said)

    async def _from_programs(self) -> tuple[list[judge.Link], list[judge.Route], tuple[Service, ...], list[str]]:
        said = list[str]()
        links = await self._asked(["ip", "-json", "address", "show"], list[judge.Link], [], said)
        routes = await self._asked(["ip", "-json", "route", "show", "default"], list[judge.Route], [], [])
        return links, routes, await self._protected("services", self._services, _NO_SERVICES, []), said

    async def _services(self) -> tuple[Service, ...]:
        """Raises ApplianceError where no systemd runs."""
        return judge.services(await states(States(), self.computer, lambda progress, message="": None))

    async def _asked(self, argv: list[str], kind: type[T], otherwise: T, warnings: list[str]) -> T:
        async def ask() -> T:
            return decoded(await command.said(argv, {}, PATIENCE), kind)

        return await self._protected("network", ask, otherwise, warnings)

    async def _beside(self, name: str, look: Callable[[], T], otherwise: T, warnings: list[str]) -> T:
        """What a function says that may wait for a disk, in a thread."""
        if name in self._hanging and not self._hanging[name].done():
            warnings.append(f"The {name} cannot be looked at: its disk does not answer.")
            return otherwise
        self._hanging[name] = in_thread(look)
        return await self._protected(name, lambda: asyncio.shield(self._hanging[name]), otherwise, warnings)

    async def _protected(self, name: str, look: Callable[[], Awaitable[T]], otherwise: T, warnings: list[str]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await look()
        except ApplianceError as error:
            warnings.append(" ".join(f"{each[:1].upper()}{each[1:]}." for each in (error.message, error.hint) if each))
        except TimeoutError:
            warnings.append(f"The {name} cannot be looked at: no answer.")
        except Exception as error:  # whatever a broken system answers: the rest of it is shown
            warnings.append(f"The {name} cannot be looked at: {error or type(error).__name__}.")
        return otherwise


def in_thread(work: Callable[[], T]) -> "asyncio.Future[T]":
    """What ``work`` comes to, in a thread that keeps nobody from ending: it may wait for a disk that never answers."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("T", result))

    def run() -> None:
        result, raised = None, None
        try:
            result = work()
        except BaseException as error:  # it is raised where it is waited for
            raised = error
        with suppress(RuntimeError):  # the screen has ended meanwhile
            loop.call_soon_threadsafe(settle, result, raised)

    threading.Thread(target=run, daemon=True, name="screen").start()
    return future


def _from_store(state_dir: Path) -> tuple[tuple[Happened, ...], bool]:
    """The last events, and whether somebody has an account. A store that nobody made yet is no trouble."""
    if not book.is_begun(state_dir):
        return (), False
    return book.last_events(state_dir, EVENTS), bool(book.users(state_dir))


def _room(state_dir: Path) -> list[str]:
    with suppress(FileNotFoundError):
        found = os.statvfs(state_dir)
        said = judge.room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, str(state_dir))
        return [said] if said else []
    return []


def _changed(path: Path) -> float:
    """When a file was written, Unix time."""
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _text(path: Path) -> str:
    """What a small file holds; nothing where it is not there."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
