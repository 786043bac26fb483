"""Backups are whole, private and consistent, or are not there."""

import errno
import os
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from appliance.backup import make, snapshot
from appliance.backup.contents import Nowhere, read, read_header
from appliance.backup.format import Member
from appliance.errors import ApplianceError
from tests.backup.backup_world import IMAGE, PASSPHRASE, State, everything, sha256, spoil


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "one")


def contents(path, passphrase=None):
    return read(path, lambda: passphrase, Nowhere())


def test_it_holds_what_cannot_be_made_again(state, tmp_path):
    (state.directory / "console.pem").write_text("a key of the console")
    found = contents(state.backup(tmp_path / "b"))
    names = [each.name for each in found.manifest.members]
    assert names == ["config.toml", "state/store.db", "state/authority.pem", "state/console.pem"]
    assert found.header.authority == state.fingerprint
    assert [(each.kind, each.name, each.included) for each in found.manifest.uploads] == [
        ("image", "debian", False),
        ("kernel", "six", False),
    ]
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert {each.name for each in tmp_path.iterdir()} == {"one", "b"}


def test_images_come_along_when_asked(state, tmp_path):
    found = contents(state.backup(tmp_path / "b", with_images=True))
    assert {each.name: each.sha256 for each in found.manifest.members}["state/images/1"] == sha256(IMAGE)
    assert all(each.included for each in found.manifest.uploads)


def test_an_image_that_is_not_here_is_named_and_no_reason_to_fail(state, tmp_path):
    (state.directory / "images" / "1").unlink()
    found = contents(state.backup(tmp_path / "b", with_images=True))
    assert [each.name for each in found.manifest.uploads if not each.included] == ["debian"]


@pytest.mark.parametrize("content", [IMAGE[:-1], IMAGE + b"x", IMAGE[:-1] + b"x"])
def test_an_image_that_is_damaged_is_told(state, tmp_path, content):
    (state.directory / "images" / "1").write_bytes(content)
    with pytest.raises(ApplianceError) as raised:
        state.backup(tmp_path / "b", with_images=True)
    assert raised.value.code == "upload-damaged"
    assert "image debian" in raised.value.message
    assert not list(tmp_path.glob("b*"))


def test_the_header_is_public_and_the_rest_is_not(state, tmp_path):
    path = state.backup(tmp_path / "b", PASSPHRASE)
    assert read_header(path).host == "here"
    assert b"state_dir" not in path.read_bytes()
    with pytest.raises(ApplianceError) as raised:
        contents(path)
    assert raised.value.code == "passphrase-needed"
    with pytest.raises(ApplianceError) as raised:
        contents(path, "another one")
    assert raised.value.code == "passphrase-wrong"
    assert contents(path, PASSPHRASE).manifest.state_dir == str(state.directory)


def test_a_file_that_is_there_stays(state, tmp_path):
    (tmp_path / "b").write_text("precious")
    with pytest.raises(ApplianceError) as raised:
        state.backup(tmp_path / "b")
    assert raised.value.code == "file-exists"
    assert (tmp_path / "b").read_text() == "precious"
    contents(state.backup(tmp_path / "b", force=True))


def test_a_file_that_came_meanwhile_stays(state, tmp_path, monkeypatch):
    copied = snapshot._copied

    def slowly(*args):
        (tmp_path / "b").write_text("precious")
        return copied(*args)

    monkeypatch.setattr(snapshot, "_copied", slowly)
    with pytest.raises(ApplianceError) as raised:
        state.backup(tmp_path / "b")
    assert raised.value.code == "file-exists"
    assert (tmp_path / "b").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_leaves_nothing_behind(state, tmp_path, monkeypatch):
    before = everything(tmp_path)

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(make.SealedWriter, "finish", full)
    with pytest.raises(ApplianceError) as raised:
        state.backup(tmp_path / "b")
    assert raised.value.code == "file-unwritable"
    assert "free some space" in raised.value.hint
    assert everything(tmp_path) == before


def test_a_state_without_room_for_the_copy_is_told(state, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "ROOM", 1 << 60)
    with pytest.raises(ApplianceError) as raised:
        state.backup(tmp_path / "b")
    assert raised.value.code == "store-no-room"


def test_a_state_that_no_daemon_ever_ran_on_is_refused(state, tmp_path):
    (state.directory / "store.db").unlink()
    with pytest.raises(ApplianceError) as raised:
        state.backup(tmp_path / "b")
    assert raised.value.code == "store-unusable"
    (state.directory / "authority.pem").unlink()
    with pytest.raises(ApplianceError) as raised:
        state.backup(tmp_path / "b")
    assert raised.value.code == "authority-unreadable"
    assert not list(tmp_path.glob("b*"))
    assert not (state.directory / "store.db").exists()


def test_a_damaged_store_is_told_when_there_is_still_an_earlier_backup(state, tmp_path):
    good = state.backup(tmp_path / "b").read_bytes()
    spoil(state.directory / "store.db")
    with pytest.raises(ApplianceError) as raised:
        state.backup(tmp_path / "b", force=True)
    assert raised.value.code == "store-damaged"
    assert (tmp_path / "b").read_bytes() == good


def test_a_store_of_a_newer_version_is_left_to_it(state, tmp_path):
    with closing(sqlite3.connect(state.directory / "store.db")) as db:
        db.execute("PRAGMA user_version = 999")
    with pytest.raises(ApplianceError) as raised:
        state.backup(tmp_path / "b")
    assert raised.value.code == "store-newer"


def test_a_short_passphrase_is_refused():
    with pytest.raises(ApplianceError):
        make.check_passphrase("short")
    assert make.check_passphrase(PASSPHRASE) == PASSPHRASE


EQUAL = "SELECT value FROM settings WHERE key = ?"


class Writer(threading.Thread):
    """Keeps two rows equal, each time in one transaction, and remembers how long the longest took."""

    def __init__(self, path):
        super().__init__()
        self.path, self.stop, self.count, self.longest = path, threading.Event(), 0, 0.0

    def run(self):
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=5)) as db:
            while not self.stop.is_set():
                begun = time.monotonic()
                db.execute("BEGIN IMMEDIATE")
                for key in ("left", "right"):
                    db.execute("INSERT OR REPLACE INTO settings VALUES(?,?)", (key, str(self.count)))
                db.execute("INSERT OR REPLACE INTO settings VALUES(?,?)", (f"n{self.count % 50}", "x" * 1000))
                db.execute("COMMIT")
                self.longest, self.count = max(self.longest, time.monotonic() - begun), self.count + 1


def test_the_copy_is_of_one_moment_while_writes_go_on(state, monkeypatch):
    store = state.directory / "store.db"
    with closing(sqlite3.connect(store, isolation_level=None)) as db:
        db.execute("BEGIN")
        db.executemany("INSERT INTO settings VALUES(?,?)", [(f"bulk{n}", "y" * 4000) for n in range(20_000)])
        db.execute("COMMIT")
    writer = Writer(store)
    writer.start()
    try:
        counts = []
        for _ in range(3):
            begun = writer.count
            with snapshot.snapshot(state.directory) as made:
                during, copy = writer.count - begun, state.directory / "looked-at"
                copy.write_bytes(made.file.read())
            with closing(sqlite3.connect(copy)) as db:
                left, right = (db.execute(EQUAL, (key,)).fetchone() for key in ("left", "right"))
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert left == right
            counts.append(during)
    finally:
        writer.stop.set()
        writer.join()
    assert min(counts) > 3, "the writer went on while the store of 80 MB was copied"
    assert writer.longest < 2.0
    assert not list(state.directory.glob("snapshot-*"))


def test_every_checksum_of_the_manifest_is_compared(state, tmp_path, monkeypatch):
    part = make._part
    monkeypatch.setattr(
        make, "_part", lambda *args: replace(part(*args), member=Member(args[0], part(*args).member.size, "0" * 64))
    )
    monkeypatch.setattr(make._Reading, "check", lambda _: None)
    with pytest.raises(ApplianceError, match=r"config\.toml is not what was written"):
        contents(state.backup(tmp_path / "b"))
