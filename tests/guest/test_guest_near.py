"""The agent of the guest and the tests in it, with an agent on this computer."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.outside.artefact import PROJECT
from tests.guest.outside.guest import Guest, GuestDied, GuestFailed
from tests.guest.outside.near import NearMachine

CONFTEST = """
from pathlib import Path
import tests.guest.outside.remote as remote
from tests.guest.outside.near import NearMachine
remote.Shared.__init__.__defaults__ = (lambda: NearMachine(Path(__file__).parent),)
from tests.guest.conftest import pytest_collection_modifyitems, pytest_runtest_protocol, pytest_sessionfinish
"""
INSIDE = """
import os
import pytest
pytestmark = pytest.mark.guest

@pytest.fixture(scope="module")
def once():
    print("made once")
    yield
    assert os.environ["QRM_GUEST"], "torn down in the guest"

def test_passes(once):
    assert os.environ["QRM_GUEST"]

def test_fails(once):
    print("what it printed")
    assert [1, 2] == [1, 3]

@pytest.mark.skipif("QRM_GUEST" in os.environ, reason="no such thing in a guest")
def test_skips():
    raise AssertionError

def test_has_trouble(nobody_knows):
    pass

@pytest.mark.timeout(0.5)
def test_hangs():
    import time
    time.sleep(60)

def test_dies():
    os.kill(os.getppid(), 9)

@pytest.mark.parametrize("word", ["a b", "c::d"])
def test_afterwards(word, once):
    assert word
"""
OUTSIDE = """
import os
import pytest

@pytest.fixture(scope="module", autouse=True)
def about():
    yield

def test_here():
    assert "QRM_GUEST" not in os.environ
"""


ONLY_PLUGIN = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_timeout", "COLUMNS": "200"}


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Guest]:
    made = Guest(NearMachine(tmp_path))
    made.boot()
    yield made
    made.kill()


def test_a_program_says_how_it_ended(near: Guest) -> None:
    finished = near.run("cat; echo wrong >&2; exit 3", given="given\n", check=False)
    assert (finished.status, finished.stdout, finished.stderr) == (3, "given\n", "wrong\n")
    with pytest.raises(GuestFailed, match="status 3: wrong"):
        near.run("echo wrong >&2; exit 3")
    with pytest.raises(GuestFailed, match="no-such-program"):
        near.run(["no-such-program"])


def test_much_is_said_and_nothing_lost(near: Guest) -> None:
    assert len(near.run("head -c 3000000 /dev/zero | tr '\\\\0' x").stdout) == 3000000


def test_two_programs_at_once(near: Guest) -> None:
    one, other = near.start(["cat"]), near.start("echo hello; exec cat")
    assert other.line(30) == "hello"
    one.write("to one\n")
    assert one.line(30) == "to one"
    one.close_input()
    assert one.wait().status == 0
    other.kill()
    assert other.wait().status == -9


def test_what_stays_in_the_background_is_not_waited_for(near: Guest) -> None:
    begun = time.monotonic()
    assert near.run("sleep 20 & echo $!").stdout.strip().isdigit()
    assert time.monotonic() - begun < 15


def test_time_runs_out(near: Guest) -> None:
    with pytest.raises(TimeoutError, match="did not answer in time"):
        near.run("sleep 60", seconds=0.1)


def test_power_goes_and_comes_back(near: Guest) -> None:
    job = near.start("sleep 60")
    with pytest.raises(GuestDied, match="went off by itself"):
        near.run("kill -9 $PPID; sleep 60")
    assert not near.on
    with pytest.raises(GuestDied):
        job.wait()
    near.boot()
    assert near.run("echo back").stdout == "back\n"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of tests of which some run elsewhere."""
    folder = tmp_path_factory.mktemp("project")
    files = {"conftest.py": CONFTEST, "test_a_here.py": OUTSIDE, "test_b_guest.py": INSIDE, "test_c_here.py": OUTSIDE}
    (folder / "pytest.ini").write_text("[pytest]\ntimeout = 60\nmarkers =\n guest: x\n vm: x\n slow: x\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    argv = [sys.executable, "-m", "pytest", "-v", "-rA", "-p", "no:cacheprovider", "--durations=0"]
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "PYTHONPATH": str(PROJECT), **ONLY_PLUGIN}
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, env=environment).stdout


@pytest.mark.parametrize(
    "line",
    [
        "PASSED test_a_here.py::test_here",
        "PASSED test_b_guest.py::test_passes",
        "FAILED test_b_guest.py::test_fails - ",
        "no such thing in a guest",
        "ERROR test_b_guest.py::test_has_trouble",
        "fixture 'nobody_knows' not found",
        "FAILED test_b_guest.py::test_hangs - Failed: Timeout",
        "FAILED test_b_guest.py::test_dies - GuestDied: the guest went off by itself",
        "PASSED test_b_guest.py::test_afterwards[a b]",
        "PASSED test_b_guest.py::test_afterwards[c::d]",
        "PASSED test_c_here.py::test_here",
        "what it printed",
        "At index 1 diff: 2 != 3",
        "3 failed, 5 passed, 1 skipped, 1 error",
    ],
)
def test_outcomes_of_the_guest_are_told_as_our_own(told: str, line: str) -> None:
    assert line in told


def test_a_fixture_of_the_module_lasts_from_test_to_test(told: str) -> None:
    """Made for the first test, and again where the guest had died."""
    assert told.count("made once") == 2
