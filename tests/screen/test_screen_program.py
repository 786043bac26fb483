"""The real program on a real pty: raw keys in, what stands on the glass out."""

import os
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from contextlib import closing

import msgspec
import pytest
from argon2 import PasswordHasher
from glass import Program

from appliance.events import Event
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.screen import book
from appliance.screen.limits import Failures
from appliance.store import accounts, events, machines
from appliance.store.accounts import User
from appliance.store.schema import migrate

PASSWORD = "a horse on a bicycle"


@pytest.fixture
def state(tmp_path):
    """A state directory as the daemon leaves it, with nobody in it yet."""
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    (directory / "ca-fingerprint").write_text("3a5f" * 16 + "\n")
    (directory / "setup-url").write_text("/setup?token=K7Q2-9XMA-4R8T-ZW3C\n")
    with closing(sqlite3.connect(directory / "store.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        migrate(db)
        events.add(db, Event("daemon.started", 1.0, "version 9 started"))
    text = f'[site]\nstate_dir = "{directory}"\n[web]\nlisten = ["192.0.2.7:8443"]\n'
    (tmp_path / "appliance.toml").write_text(text)
    return directory


def add_users(state):
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with closing(sqlite3.connect(state / "store.db", isolation_level=None)) as db:
        for name, role in (("ada", "admin"), ("vic", "viewer")):
            accounts.add_user(db, User(name, hasher.hash(PASSWORD), role, 1.0))


@pytest.fixture
def start(state, tmp_path):
    programs = []

    def begin(*arguments, **more):
        environment = {"RUNTIME_DIRECTORY": str(tmp_path / "run"), "HOME": str(tmp_path)}
        (tmp_path / "run").mkdir(exist_ok=True)
        programs.append(
            Program("--config", str(tmp_path / "appliance.toml"), *arguments, environment=environment, **more)
        )
        return programs[-1]

    yield begin
    for each in programs:
        each.close()


def test_it_shows_where_the_console_is_and_gives_the_terminal_back(start):
    program = start().sees("https://192.0.2.7:8443").sees("3A:5F:3A:5F").sees("version 9 started")
    program.sees("https://192.0.2.7:8443/setup?token=K7Q2-9XMA-4R8T-ZW3C")
    program.types("q")
    program.sees("█▀▀▀▀▀█")
    program.types(b"\x1b")
    program.sees("Last events")
    program.types("\r")
    program.sees("Network settings").types(b"\x1b[A\r")
    program.sees("erase everything").types(b"\x03")
    program.process.send_signal(signal.SIGTERM)
    assert program.ends() == 0
    assert termios.tcgetattr(program.slave) == program.kept
    assert program.glass.text == ""


def test_garbage_and_signals_of_keys_do_nothing(start):
    program = start().sees("Last events")
    program.types(
        bytes(range(0x80, 0x100))
        + b"\x00\x01\x1a\x1c\x04\x03\x11\x13"
        + b"\x1b[999999999999999999999999999999999999999999;1x"
    )
    program.types(os.urandom(3000).translate(None, b"\r\n mMqQiI"))
    program.types(b"\x1b\x03\x03\x03\x03")
    program.sees("Last events")
    assert program.process.poll() is None


def test_another_size_is_drawn_anew(start):
    program = start().sees("Last events")
    program.resize(120, 40)
    program.sees(":".join(["3A:5F"] * 16))
    assert program.glass.lines[39].startswith(" Enter: menu")


def test_a_serial_line_is_asked_for_its_size_and_letters(start):
    program = start(columns=0, rows=0)
    program.until(lambda: program.glass.asked >= 2, "question")
    program.types(b"\x1b[1;3R\x1b[12;60R")
    program.glass.columns, program.glass.rows = 60, 12
    program.until(lambda: program.glass.lines[11].startswith(" Enter: menu   Q: QR code"), "twelve rows")
    program.types("q")
    program.sees("This terminal cannot show it")


def test_a_line_that_hangs_up_ends_it(start):
    program = start().sees("Last events")
    program.hangs_up()
    program.process.wait(60)
    assert program.process.returncode in (0, -signal.SIGHUP)


def test_a_line_that_nobody_reads_does_not_stop_it(start, state):
    program = start().sees("Last events")
    for _ in range(3000):
        program.types(b"\x0c")
    program.types("\r")
    program.sees("Network settings")


def test_without_a_terminal_it_says_what_to_do(state, tmp_path):
    argv = [sys.executable, "-m", "appliance", "screen", "--config", str(tmp_path / "appliance.toml")]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "needs a terminal" in done.stderr
    once = subprocess.run(
        [*argv, "--once", "--size", "80x24"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert len(once.stdout.splitlines()) == 24
    assert "https://192.0.2.7:8443" in once.stdout


# -- the shell


def log_in(program, name, password):
    program.types("\r")
    program.sees("Menu")
    place = next(line for line in program.glass.lines if "Shell" in line).split()
    program.types(next(word for word in place if word.isdecimal()))
    program.sees("Name and password of an administrator")
    program.types(f"{name}\r{password}\r\r")


def test_a_shell_for_an_administrator_and_nobody_else(start, state, tmp_path):
    add_users(state)
    program = start().sees("Last events").sees_no("setup?token")
    log_in(program, "vic", PASSWORD)
    program.sees("vic is no administrator")
    program.types(b"\x1b\x1b")
    program.sees("Last events")
    log_in(program, "ada", "wrong")
    program.sees("name or password is wrong")
    counted = tmp_path / "run" / "attempts.json"
    assert msgspec.json.decode(counted.read_bytes(), type=Failures).count == 2
    program.types(b"\x1b\x1b")
    program.sees("Last events")
    log_in(program, "ada", PASSWORD)
    program.until(lambda: program.glass.text.endswith(("#", "$")), "prompt")
    assert not counted.exists(), "who got in is not suspected any more"
    program.types("echo $((6*7))-$QRM_USER\n")
    program.sees("42-ada")
    program.types("exit\n")
    program.sees("Last events")
    with closing(sqlite3.connect(state / "store.db")) as db:
        assert db.execute("SELECT who, action, via FROM audit").fetchall() == [("ada", "session.shell", "screen")]
        (last,) = events.query(db, limit=1)
    assert last.text == "ada opened a shell on the screen of the appliance"


def test_a_fresh_screen_knows_of_guesses_at_the_last_one(start, state, tmp_path):
    add_users(state)
    program = start().sees("Last events")
    known = Failures(20, time.clock_gettime(time.CLOCK_BOOTTIME))
    (tmp_path / "run" / "attempts.json").write_bytes(msgspec.json.encode(known))
    log_in(program, "ada", PASSWORD)
    program.sees("too many attempts")


def test_a_password_is_reset_while_no_daemon_runs(start, state):
    add_users(state)
    program = start().sees("Last events")
    program.types("\r")
    program.sees("Reset a password")
    number = next(line for line in program.glass.lines if "Reset a password" in line).split()[0]
    program.types(number)
    program.sees("ada · admin")
    program.types("1")
    program.sees("The new password of ada")
    program.types("another good one\ranother good one\r\r")
    program.sees("ada has a new password")
    with closing(sqlite3.connect(state / "store.db")) as db:
        (stored,) = db.execute("SELECT password FROM users WHERE name = 'ada'").fetchone()
    assert PasswordHasher().verify(stored, "another good one")


# -- what is broken


def test_a_broken_store_is_said_and_the_rest_goes_on(start, state):
    for name in ("store.db-wal", "store.db-shm"):
        (state / name).unlink(missing_ok=True)
    (state / "store.db").write_bytes(b"SQLite format 3\x00" + os.urandom(8000))
    program = start().sees("file is not a database. Restore a backup").sees("https://192.0.2.7:8443")
    program.types("\r")
    program.sees("Restore a backup")


def test_a_broken_configuration_is_said_and_the_rest_goes_on(start, tmp_path):
    (tmp_path / "appliance.toml").write_text("[site]\nstate_dri = 1\n")
    start().sees("[site] state_dri is unknown").sees("Enter: menu")


def test_an_event_says_which_machine_it_is_of(state):
    """Many boot at once; what names its machine already does not name it twice."""
    with closing(sqlite3.connect(state / "store.db", isolation_level=None)) as db:
        macs = (parse_mac("52:54:00:00:00:07"),)
        machines.put(db, Machine(MachineId("m1"), "web-7", State.IDLE, macs, 1.0))
        for text in ("handing over: done", "web-7 is idle"):
            events.add(db, Event("step.done", 2.0, text, machine=MachineId("m1")))
    told = [each.text for each in book.last_events(state, 9)]
    assert told == ["web-7 is idle", "web-7: handing over: done", "version 9 started"]


def test_a_store_that_the_daemon_is_about_to_make_is_no_trouble(state):
    """The file is there a moment before its tables are; minutes, on a slow disk."""
    assert book.is_begun(state)
    for left in state.glob("store.db*"):
        left.unlink()
    assert not book.is_begun(state)
    with closing(sqlite3.connect(state / "store.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
    assert not book.is_begun(state)
