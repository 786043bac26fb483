"""Tests marked ``guest`` run inside one Debian 13 guest; those that take the fixture ``guest`` drive it from here.

On the host this file sends the former into the guest, which is booted once for all of them. Inside, with ``QRM_GUEST``
set, they are ordinary tests, and their fixtures are ``scratch`` disks.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.guest.inside.disks import Disks
from tests.guest.inside.session import PATIENCE_SECONDS
from tests.guest.outside.guest import Guest
from tests.guest.outside.remote import Shared, in_guest, inside, run

SHARED = pytest.StashKey[Shared]()
BOOT_ALLOWANCE_SECONDS = 1200.0
"""What the host grants a test above its own patience: it may be the one that the guest is built and booted for."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the guest boots a virtual machine, and takes a while."""
    for item in items:
        if not inside() and (in_guest(item) or "guest" in getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.vm)
            item.add_marker(pytest.mark.slow)
            own = item.get_closest_marker("timeout")
            patience = float(own.args[0] if own else PATIENCE_SECONDS)
            item.add_marker(pytest.mark.timeout(patience + BOOT_ALLOWANCE_SECONDS), append=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """In the place of pytest's own for tests that belong to the guest."""
    if not in_guest(item):
        return None
    run(shared_guest(item.session), item, nextitem)
    # Fixtures of tests before this one that the next one shares no longer; pytest does it at the end of each test.
    item.session._setupstate.teardown_exact(nextitem)
    return True


def shared_guest(session: pytest.Session) -> Shared:
    """The guest of the session, made with the names of all its files at the first call."""
    stash = session.config.stash
    if SHARED not in stash:
        files = dict.fromkeys(item.nodeid.partition("::")[0] for item in session.items if in_guest(item))
        option = session.config.option
        options = [f"--tb={option.tbstyle}", *["-v"] * max(0, option.verbose), *["-l"] * bool(option.showlocals)]
        stash[SHARED] = Shared(options, list(files))
    return stash[SHARED]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Its power is taken away; there is nothing in it to lose."""
    if shared := session.config.stash.get(SHARED, None):
        shared.close()


@pytest.fixture(scope="session")
def session_guest(request: pytest.FixtureRequest) -> Guest:
    """The shared guest for tests that drive it; up before any of them begins."""
    return shared_guest(request.session).guest()


@pytest.fixture
def guest(session_guest: Guest, request: pytest.FixtureRequest) -> Guest:
    """The shared guest, with power: the test before may have left it without. Its scratch disks are blank."""
    up = shared_guest(request.session).guest()
    up.run(["python3", "-m", "tests.guest.inside.disks"])
    return up


@pytest.fixture
def stays(request: pytest.FixtureRequest) -> Callable[[], set[str]]:
    """The guest outlives a test, also where the test switched it off and on."""
    return lambda: shared_guest(request.session).resources()


@pytest.fixture
def disks() -> Iterator[Disks]:
    """Inside: the scratch disks, blank; whatever the test made on them is taken apart when it ends."""
    made = Disks()
    made.clear()
    yield made
    made.clear()
