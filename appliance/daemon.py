"""The daemon's life: read, build, bind everything, serve anything, say ready, stop cleanly."""

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import uvloop
from aiohttp import web

from appliance import __version__, journal, last_run
from appliance.assembly.build import build
from appliance.assembly.parts import Assembly, Site
from appliance.backup.incoming import bring_in
from appliance.config import load
from appliance.config_fitting import Fit, fit
from appliance.errors import ApplianceError, first_of
from appliance.events import Bus, Event
from appliance.listening import BACKLOG, PerSource, listen_tcp, passed_sockets, raise_descriptor_limit
from appliance.netboot.dhcp.wire import INTERFACE_GONE
from appliance.network import first_addresses
from appliance.notify import ServiceNotifier
from appliance.reconcile.record import Tell, record
from appliance.reserve import Reserve
from appliance.state import state_directory
from appliance.store import events
from appliance.store.store import Store, open_store
from appliance.web.setup import LINK_FILE, prepare_setup

log = logging.getLogger("appliance")

SHUTDOWN_SECONDS = 1.0
"""How long requests may go on after the stop; long polls just come back to the next daemon."""
IDLE_SECONDS = 75.0
"""How long a connection may be open without a whole request; each of them holds a descriptor."""
HANDSHAKE_SECONDS = 15.0
"""How long a connection may take to agree on TLS: until then nobody counts it among those of its address."""

MAY_GO_BACK = "QRM_MAY_GO_BACK"
"""Environment variable with the name of a file, which is there where an update fell back (``qrm slot settle``)."""

TURN_SECONDS = 0.0005
"""How long the event loop keeps a thread of the store's waiting for its turn in the interpreter, once it is busy.

Each statement of a job needs one: with Python's five milliseconds a hall that boots waited longer for that than for
the disk.
"""

ARENA_MAX = -8
"""Of mallopt(3), as malloc.h has it."""

Listening = tuple[web.AppRunner, Site, list[socket.socket]]


class _StoppedError(Exception):
    """Somebody asked us to stop: ends the task group, is no error."""


class _AgainError(Exception):
    """Another state is to take the place of this one: ends the task group, too."""


def serve(path: Path) -> int:
    """Run the daemon in the foreground until SIGTERM or SIGINT. The exit code: 0 stopped, 1 failed."""
    os.umask(0o077)
    journal.set_up(os.environ)
    # aiohttp's access log would write one-time links and poll ids; its errors are wanted.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    passed = passed_sockets(os.environ, "web")
    _share_one_heap()
    try:
        raise_descriptor_limit()
        sys.setswitchinterval(TURN_SECONDS)
        while _served(path, passed):
            log.info("starting again")
    except ApplianceError as error:
        return _ended_badly(error)
    except BaseExceptionGroup as group:
        return _ended_badly(first_of(group))
    return 0


def _share_one_heap() -> None:
    """Threads take their memory from one heap: of their own ones each of the store's would keep some hundred kB.

    A C library without such heaps has no word for it.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)


def _served(path: Path, passed: Sequence[socket.socket]) -> bool:
    """Serve on the state as it is; whether to begin anew, on another one."""
    config = load(path)
    found = fit(config, first_addresses() if config.subnet else {})
    state_dir = found.config.site.state_dir
    with state_directory(state_dir):
        Reserve(state_dir).give_up_if_full()
        if aside := bring_in(state_dir):
            log.warning("the state was restored from a backup; the one that was there is in %s", state_dir / aside)
        began = time.time()
        try:
            again = uvloop.run(_live(path, found, [each.dup() for each in passed]))
        except BaseException as error:
            if not _is_gone(first_of(error)):
                last_run.fail(state_dir, first_of(error), began)
                raise
            log.warning("%s: beginning anew without what is served there", first_of(error))
            again = True
        last_run.end(state_dir)
        return again


def _is_gone(error: BaseException) -> bool:
    """Whether an interface was removed that machines are served on: all the rest can go on."""
    return isinstance(error, ApplianceError) and error.code == INTERFACE_GONE


def _ended_badly(error: BaseException) -> int:
    if isinstance(error, ApplianceError):
        hint = f"\n  {error.hint}" if error.hint else ""
        print(f"qrm: {error.code}: {error.message}{hint}", file=sys.stderr)
    else:
        log.critical("the daemon ends", exc_info=error)
    return 1


def _may_go_back() -> bool:
    """Whether an update fell back, so that a store which it wrote gives its place to the copy of before."""
    told = os.environ.get(MAY_GO_BACK)
    return told is not None and Path(told).is_file()


async def _live(path: Path, found: Fit, passed: Sequence[socket.socket]) -> bool:
    """``path`` is where the configuration was read."""
    config = found.config
    bus, notifier = Bus(), ServiceNotifier(os.environ)
    async with AsyncExitStack() as bound:
        with notifier.starting():
            opening = open_store(config.site.state_dir / "store.db", may_go_back=_may_go_back())
            store = await bound.enter_async_context(opening)
            assembly = await build(path, found, store, bus, passed)
            for server in assembly.servers:
                await server.start()
                bound.callback(server.close)
            listening = [await _bind(bound, site) for site in assembly.sites]
            await assembly.imports.sweep()
            await assembly.isos.sweep()
            await assembly.imports.preload(config.site.preload)
            await assembly.imports.tell_missing()
            link = await prepare_setup(store, config.site.state_dir, time.time())
        setup = config.site.state_dir / LINK_FILE if link else None

        async def started() -> None:
            await _tell_started(store, bus, assembly.fingerprint, setup, config.site.state_dir)

        return await _serve(bound, assembly, listening, notifier, started)


async def _bind(bound: AsyncExitStack, site: Site) -> Listening:
    """Everything that can fail for want of a port fails here, before anything is served."""
    sockets = list(site.sockets)
    for host, port in () if sockets else site.listen:
        sockets.append(listen_tcp(host, port, site.name))
        bound.callback(sockets[-1].close)
    if site.polls is not None:
        bound.callback(site.polls.close)
    runner = web.AppRunner(
        site.app,
        handle_signals=False,
        access_log=None,
        shutdown_timeout=SHUTDOWN_SECONDS,
        keepalive_timeout=IDLE_SECONDS,
    )
    await runner.setup()
    bound.push_async_callback(runner.cleanup)
    return runner, site, sockets


async def _listen(runner: web.AppRunner, site: Site, bound: socket.socket) -> asyncio.Server:
    """Accept connections."""
    server = runner.server
    assert server is not None, "it was set up when it was bound"
    whole = server if site.polls is None else site.polls.before(server)
    factory = whole if site.per_source is None else PerSource(whole, site.per_source)
    patience = HANDSHAKE_SECONDS if site.tls is not None else None
    return await asyncio.get_running_loop().create_server(
        factory, sock=bound, ssl=site.tls, backlog=BACKLOG, ssl_handshake_timeout=patience
    )


async def _serve(
    bound: AsyncExitStack,
    assembly: Assembly,
    listening: Sequence[Listening],
    notifier: ServiceNotifier,
    started: Callable[[], Awaitable[None]],
) -> bool:
    """Until we are asked to stop, or to begin anew: then True."""
    jobs = {type(server).__name__ + f" {number}": server.run for number, server in enumerate(assembly.servers)}
    polls = {f"polls of {site.name}": site.polls.run for _, site, _ in listening if site.polls is not None}
    again, stop = False, _stop_asked()
    try:
        async with asyncio.TaskGroup() as tasks:
            for name, run in {**jobs, **polls, **assembly.loops}.items():
                tasks.create_task(_owned(name, run), name=name)
            for runner, site, sockets in listening:
                for each in sockets:
                    bound.callback((await _listen(runner, site, each)).close)
            await started()
            tasks.create_task(notifier.watchdog(), name="watchdog")
            tasks.create_task(_until(stop, notifier), name="signals")
            tasks.create_task(_again(assembly.again), name="another state")
            notifier.tell("READY=1", "STATUS=serving")
    except* _AgainError:
        again = True
    except* _StoppedError:
        again = False
        log.info("stopped")
    return again


async def _owned(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """A part that ends while nobody asked it to ends the process: the service manager starts a whole one."""
    await run()
    raise ApplianceError("service-ended", f"{name} ended by itself", "this is a defect; the log above tells more")


def _stop_asked() -> asyncio.Event:
    """Set by SIGTERM and SIGINT; in place before anybody hears that we are ready."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _until(stop: asyncio.Event, notifier: ServiceNotifier) -> None:
    await stop.wait()
    notifier.tell("STOPPING=1")
    raise _StoppedError


async def _again(asked: asyncio.Event) -> None:
    await asked.wait()
    raise _AgainError


async def _tell_started(store: Store, bus: Bus, fingerprint: str, setup: Path | None, state_dir: Path) -> None:
    """``setup`` is the file with the set-up link, if there is one."""
    now, boot = time.time(), last_run.boot_id(os.environ)
    before = await asyncio.to_thread(last_run.left, state_dir)
    if before is not None:
        log.warning("%s", last_run.interruption(before, boot, None, now).text)

    def job(db: sqlite3.Connection, tell: Tell) -> None:
        if before is not None:
            tell(last_run.interruption(before, boot, events.last_at(db), now))
        tell(Event("daemon.started", now, f"version {__version__} started"))

    try:
        await record(store, bus, job)
        await asyncio.to_thread(last_run.begin, state_dir, last_run.Run(now, boot))  # machines wait for no disk
    except ApplianceError as error:
        log.warning("the start is in no timeline: %s", error.message)  # a full disk must not keep machines from booting
    log.info("version %s serves", __version__)
    # Public, and what people compare with before they trust a page or a server: console and qrm send them here.
    log.info("the fingerprint of the certificate authority is %s", fingerprint)
    if setup is not None:
        # The link itself is a secret and logs are kept: it is in a file for root and this user only.
        log.info("nobody has an account yet: open the link in %s", setup)
