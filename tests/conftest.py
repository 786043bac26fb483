"""What all tests share: a real daemon to ask for, and that whoever leaves something behind fails, not the next test."""

import faulthandler
import gc
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from daemon_namespace import Daemon, Namespace
from hypothesis import settings

from appliance.store import schema, store
from tests.open_sockets import open_sockets

# How long one example takes tells of the computer's other work, not of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell that runs the tests in the background has them ignore Ctrl-C, and with them all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

PATIENCE_SECONDS = 120.0
"""How long a test may take that says nothing of it; pyproject.toml says the same."""
LAST_RESORT_SECONDS = 90.0
"""Past its time, a test that does not even end when it is told to takes its process along, and says where it stood."""
GRACE_SECONDS = 5.0
"""A thread or process that was told to end may take a moment; whoever leaks nothing does not wait at all."""


STDERR = pytest.StashKey[int]()
"""A copy of the real one's number: what a test captures is lost with its process."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STDERR] = os.dup(2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """pytest-timeout raises in the main thread; a loop that closes then waits for its threads, for ever if need be."""
    _end_the_process_in(_seconds(item) + LAST_RESORT_SECONDS, item.config)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """pytest's own hook has taken it back by now; what was to come after the failure may never end."""
    _end_the_process_in(LAST_RESORT_SECONDS, node.config)


def _end_the_process_in(seconds: float, config: pytest.Config) -> None:
    faulthandler.dump_traceback_later(seconds, exit=True, file=config.stash[STDERR])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests may take longest come first: several processes share them, and none shall wait for the last."""
    patience: dict[Path, float] = {}
    for item in items:
        patience[item.path] = max(patience.get(item.path, 0.0), _patience(item))
    items.sort(key=lambda item: -patience[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """One process gets all tests that share the guest: it is booted once."""
    from tests.guest.outside.scheduling import GuestScheduling

    return GuestScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def _seconds(item: pytest.Item) -> float:
    """That a test may take."""
    said = item.get_closest_marker("timeout")
    return float(said.args[0]) if said else PATIENCE_SECONDS


def _patience(item: pytest.Item) -> float:
    """For the order: one in Chromium or as root starts programs, and takes longer than most."""
    return _seconds(item) + any(item.get_closest_marker(name) for name in ("vm", "browser", "root"))


def _threads() -> set[str]:
    return {f"thread {each.name} ({each.native_id})" for each in threading.enumerate() if each.is_alive()}


def _children() -> set[str]:
    """Running child processes; one that has ended and is not yet collected does no harm."""
    numbers: list[str] = []
    for listing in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            numbers += listing.read_text().split()
    return {f"process {number} ({name})" for number in numbers if (name := _running(number))}


def _running(number: str) -> str:
    """Name of a process; empty when it has ended (proc_pid_stat(5): the state follows the name)."""
    with suppress(OSError):
        name, _, rest = Path(f"/proc/{number}/stat").read_text().rpartition(")")
        return "" if rest.split()[0] in "ZX" else name.partition("(")[2]
    return ""


def _all() -> set[str]:
    return _threads() | _children() | open_sockets()


def _left(before: set[str], look: Callable[[], set[str]] = _all) -> set[str]:
    """What is there and was not before, after it had its moment to go."""
    end = time.monotonic() + GRACE_SECONDS
    while (new := look() - before) and time.monotonic() < end:
        gc.collect()  # a socket in a cycle is closed by its collector
        time.sleep(0.02)
    return new


@pytest.fixture(scope="session", autouse=True)
def migrated_once() -> Iterator[None]:
    """New stores begin as copies of one that was migrated: thousands of tests open one, and the steps take 20 ms."""
    steps, migrate = schema.MIGRATIONS, schema.migrate
    with closing(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)) as made:
        migrate(made)

        def copied(db: sqlite3.Connection) -> None:
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if tables == version == 0 and schema.MIGRATIONS is steps:
                made.backup(db)
            migrate(db)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(store, "migrate", copied)
            yield


@pytest.fixture
def stays() -> Callable[[], set[str]]:
    """Names what a test may leave, by its end: nothing, but where a folder's own fixture says otherwise."""
    return set


@pytest.fixture(autouse=True)
def nothing_leaks(stays: Callable[[], set[str]]) -> Iterator[None]:
    """Set up before all else of one test, so that its other fixtures have ended when it looks again."""
    before = _all()
    yield
    assert _left(before, lambda: _all() - stays()) == set(), "the test left these behind"


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A network of its own."""
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def daemon(namespace: Namespace, tmp_path: Path) -> Iterator[Daemon]:
    """The real daemon in it, not started yet."""
    made = Daemon(namespace, tmp_path / "one")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
