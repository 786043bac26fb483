"""A copy before each migration, and the way back to it: nothing is lost, whatever ends this in between."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.store import copies
from appliance.store.copies import COPIES, NEWER, prepare, put_aside
from appliance.store.schema import MIGRATIONS
from appliance.store.store import open_store
from tests.kill.kill_restore import run

OLD, NEW = 7, 9
NOW = 1_800_000_000.0


def make(path: Path, schema: int, words: list[str]) -> None:
    """A store in which everything still stands in the journal."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE words (word TEXT)")
        db.executemany("INSERT INTO words VALUES (?)", [(word,) for word in words])
        db.execute(f"PRAGMA user_version={schema}")


def migrate(path: Path, to: int, *words: str) -> None:
    """As a newer version does, which then stores something and is killed: its journal stays."""
    child = os.fork()
    if child == 0:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute(f"PRAGMA user_version={to}")
        db.executemany("INSERT INTO words VALUES (?)", [(word,) for word in words])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def words(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [word for (word,) in db.execute("SELECT word FROM words")]


def schema(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    make(path, OLD, ["ada"])
    return path


@pytest.fixture
def updated(store: Path) -> Path:
    """The new version took over, and stored something."""
    prepare(store, NEW, may_go_back=False, now=NOW)
    migrate(store, NEW, "bob")
    return store


def test_a_copy_is_taken_before_a_migration(store: Path) -> None:
    prepare(store, NEW, may_go_back=False, now=NOW)
    (copy,) = (store.parent / COPIES).iterdir()
    assert copy.name == f"schema-{OLD}-to-{NEW}-20270115T080000Z.db"
    assert (words(copy), schema(copy)) == (["ada"], OLD)
    assert copy.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("known", [OLD, OLD - 1])
def test_none_is_taken_without_a_migration(store: Path, known: int) -> None:
    prepare(store, known, may_go_back=False, now=NOW)
    assert not (store.parent / COPIES).exists()


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    prepare(tmp_path / "store.db", NEW, may_go_back=True, now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_few_copies_are_kept(store: Path) -> None:
    for after in range(4):
        prepare(store, NEW + after, may_go_back=False, now=NOW + after)
    assert len(list((store.parent / COPIES).iterdir())) == 2


def test_an_older_version_goes_back_and_keeps_the_newer_store(updated: Path) -> None:
    prepare(updated, OLD, may_go_back=True, now=NOW + 600)
    assert (words(updated), schema(updated)) == (["ada"], OLD)
    ((aside, kept),) = put_aside(updated.parent).items()
    assert (aside.schema, aside.since) == (NEW, NOW)
    assert (words(kept), schema(kept)) == (["ada", "bob"], NEW)


def test_it_does_not_unless_told(updated: Path) -> None:
    prepare(updated, OLD, may_go_back=False, now=NOW)
    assert (words(updated), schema(updated)) == (["ada", "bob"], NEW)


def test_a_copy_of_an_earlier_migration_is_left_alone(updated: Path) -> None:
    prepare(updated, NEW + 1, may_go_back=False, now=NOW + 1)
    migrate(updated, NEW + 1, "carl")
    prepare(updated, OLD, may_go_back=True, now=NOW)
    assert words(updated) == ["ada", "bob", "carl"]


def test_the_same_version_may_try_once_more_after_going_back(updated: Path) -> None:
    for number in range(1, 5):
        prepare(updated, OLD, may_go_back=True, now=NOW + number)
        prepare(updated, NEW, may_go_back=False, now=NOW + number)
        migrate(updated, NEW, f"try {number}")
    assert words(updated) == ["ada", "try 4"]
    assert len(put_aside(updated.parent)) == 2


def test_killed_at_any_step_of_a_copy_the_next_start_takes_it(tmp_path: Path) -> None:
    def fresh(number: int) -> Path:
        (place := tmp_path / str(number)).mkdir()
        make(place / "store.db", OLD, ["ada"])
        return place / "store.db"

    steps = run(lambda: prepare(whole, NEW, may_go_back=False, now=NOW), None) if (whole := fresh(-1)) else 0
    assert steps > 3
    for last in range(steps):
        path = fresh(last)
        run(lambda path=path: prepare(path, NEW, may_go_back=False, now=NOW), last)
        assert (words(path), schema(path)) == (["ada"], OLD)
        prepare(path, NEW, may_go_back=False, now=NOW + 1)
        names = [each.name for each in (path.parent / COPIES).iterdir()]
        assert all(words(path.parent / COPIES / name) == ["ada"] for name in names)
        assert "copy.part" not in names


def test_killed_at_any_step_of_going_back_it_is_one_of_the_two(tmp_path: Path) -> None:
    def fresh(number: int) -> Path:
        (place := tmp_path / str(number)).mkdir()
        path = place / "store.db"
        make(path, OLD, ["ada"])
        prepare(path, NEW, may_go_back=False, now=NOW)
        migrate(path, NEW, "bob")
        return path

    whole = fresh(-1)
    steps = run(lambda: prepare(whole, OLD, may_go_back=True, now=NOW), None)
    assert steps > 3
    for last in range(steps):
        path = fresh(last)
        run(lambda path=path: prepare(path, OLD, may_go_back=True, now=NOW), last)
        assert (words(path), schema(path)) in ((["ada"], OLD), (["ada", "bob"], NEW))
        prepare(path, OLD, may_go_back=True, now=NOW + 60)
        assert (words(path), schema(path)) == (["ada"], OLD)
        ((_, kept),) = put_aside(path.parent).items()
        assert (words(kept), schema(kept)) == (["ada", "bob"], NEW)
        assert sorted(each.name for each in path.parent.iterdir()) == ["store-copies", "store-newer", "store.db"]


def test_without_room_no_migration_begins(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "ROOM", 1 << 60)
    with pytest.raises(ApplianceError, match="a new version needs") as refused:
        prepare(store, NEW, may_go_back=False, now=NOW)
    assert refused.value.code == "store-no-room"
    assert "the state was not changed" in refused.value.hint
    assert (words(store), schema(store)) == (["ada"], OLD)
    assert not list((store.parent / COPIES).iterdir())


def test_a_store_in_use_by_another_program_is_not_taken_back(updated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(updated)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM words").fetchall()
        with pytest.raises(sqlite3.OperationalError):
            prepare(updated, OLD, may_go_back=True, now=NOW)
    assert words(updated) == ["ada", "bob"]


async def test_a_store_is_opened_by_way_of_all_this(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with open_store(path):
        pass
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    with pytest.raises(ApplianceError, match="newer version"):
        async with open_store(path, may_go_back=True):
            pass
    (tmp_path / COPIES).mkdir()
    copy = tmp_path / COPIES / f"schema-{len(MIGRATIONS)}-to-{len(MIGRATIONS) + 1}-20270115T080000Z.db"
    async with open_store(copy.with_name("other.db")):
        pass
    copy.with_name("other.db").rename(copy)
    async with open_store(path, may_go_back=True) as store:
        assert await store.read(lambda db: db.execute("PRAGMA user_version").fetchone()) == (len(MIGRATIONS),)
    assert [each.schema for each in put_aside(tmp_path)] == [len(MIGRATIONS) + 1]
    assert (tmp_path / NEWER).stat().st_mode & 0o077 == 0
