"""The real daemon says at its start what became of the run before: a good end, a kill, or a computer that went down."""

import signal
import sqlite3
import time
from pathlib import Path

import msgspec
import pytest

from appliance import daemon as daemon_module
from appliance import last_run
from appliance.daemon import _tell_started
from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.last_run import BOOT_ID, NAME, Run, begin, left
from appliance.store.events import query
from appliance.store.store import open_store

UNIT = Path(__file__).parent.parent / "systemd" / "appliance.service"


def told(daemon):
    """Texts of the events of the daemon's own life, oldest first."""
    with sqlite3.connect(daemon.path / "state" / "store.db") as db:
        return [
            (kind, msgspec.json.decode(document)["text"])
            for kind, document in db.execute("SELECT kind, doc FROM events WHERE kind LIKE 'daemon.%' ORDER BY id")
        ]


def interrupted(daemon):
    return [text for kind, text in told(daemon) if kind == "daemon.interrupted"]


def test_kill_9_is_told_at_the_next_start_and_a_good_end_is_not(daemon):
    daemon.start()
    mark = daemon.path / "state" / NAME
    assert mark.stat().st_mode & 0o777 == 0o600
    assert daemon.end(signal.SIGTERM) == 0, daemon.words()
    assert not mark.exists()
    daemon.start()
    assert interrupted(daemon) == []
    daemon.end(signal.SIGKILL)
    daemon.start()
    assert [kind for kind, _ in told(daemon)] == ["daemon.started"] * 2 + ["daemon.interrupted", "daemon.started"]
    assert interrupted(daemon) == ["the daemon had been killed or had crashed"]
    assert daemon.words().count("had been killed or had crashed") == 1, "in the log, too"
    assert daemon.end(signal.SIGTERM) == 0, daemon.words()
    daemon.start()
    assert len(interrupted(daemon)) == 1, "it is told once"


def test_a_power_cut_is_told_as_one(daemon, monkeypatch):
    monkeypatch.setenv(BOOT_ID, "a" * 32)
    daemon.start()
    daemon.end(signal.SIGKILL)
    monkeypatch.setenv(BOOT_ID, "b" * 32)
    daemon.start()
    assert interrupted(daemon) == ["the computer lost power, crashed or was reset while the daemon ran"]


def test_an_error_that_ends_it_is_told_with_its_words(tmp_path, monkeypatch):
    state = tmp_path / "state"
    (tmp_path / "qrm.toml").write_text(f'[site]\nstate_dir = "{state}"\n')

    async def live(path, found, passed):
        begin(found.config.site.state_dir, Run(time.time(), "a" * 32))
        raise ExceptionGroup("of a task", [ApplianceError("service-ended", "DNS ended by itself")])

    monkeypatch.setattr(daemon_module, "_live", live)
    with pytest.raises(ExceptionGroup):
        daemon_module._served(tmp_path / "qrm.toml", ())
    assert left(state).failed == "DNS ended by itself"


def test_a_start_that_fails_tells_nothing_away(daemon):
    """What was interrupted is told by the first start that succeeds."""
    daemon.start()
    daemon.end(signal.SIGKILL)
    daemon.configure("127.0.0.1:8443", "192.0.2.1:8443")
    daemon.refuses()
    daemon.configure("192.0.2.1:8443", "127.0.0.1:8443")
    daemon.start()
    assert len(interrupted(daemon)) == 1


async def test_what_was_interrupted_is_forgotten_by_no_kill_and_no_full_disk(tmp_path, monkeypatch):
    """Once told it may be told again, where the kill came before the new mark."""

    class Full:
        async def write(self, *_):
            raise ApplianceError("store-failed", "the disk is full")

    def killed(*_):
        raise KilledError

    class KilledError(BaseException):
        pass

    mark = Run(1.0, "b0")
    begin(tmp_path, mark)
    await _tell_started(Full(), Bus(), "", None, tmp_path)
    assert left(tmp_path) == mark, "nothing was told: it is told later"
    async with open_store(tmp_path / "store.db") as store:
        with monkeypatch.context() as patched:
            patched.setattr(last_run, "begin", killed)
            with pytest.raises(KilledError):
                await _tell_started(store, Bus(), "", None, tmp_path)
        assert left(tmp_path) == mark
        await _tell_started(store, Bus(), "", None, tmp_path)
        assert left(tmp_path) not in (None, mark)
        assert len(await store.read(lambda db: query(db, kind="daemon.interrupted"))) == 2


def test_the_unit_says_which_boot_it_is():
    """systemd.unit(5): %b is the boot ID; /proc/sys cannot be seen with ProcSubset=pid."""
    assert f"Environment={BOOT_ID}=%b" in UNIT.read_text().splitlines()
