"""One writer, shared commits, jobs that cannot harm each other, and what a bad disk does."""

import asyncio
import hashlib
import resource
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from appliance.errors import ApplianceError, Conflict
from appliance.events import Event
from appliance.store import accounts, events
from appliance.store.documents import dump, one, rows
from appliance.store.schema import MIGRATIONS
from appliance.store.store import PATIENCE, READERS, open_store


def put(key, value="1"):
    return lambda db: accounts.put_setting(db, key, value)


def get(key):
    return lambda db: accounts.setting(db, key)


class Gate:
    """A job that says when it has begun, and stays until it is let go."""

    def __init__(self):
        self._inside, self._open = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, _):
        self._loop.call_soon_threadsafe(self._inside.set)
        assert self._open.wait(30), "nobody let the job go"

    async def reached(self):
        await self._inside.wait()

    def open(self):
        self._open.set()


async def commits_of(store, jobs):
    """How often the file was committed while the jobs ran: SQLite counts that itself."""
    commits = []

    def trace(db):
        db.set_trace_callback(lambda statement: commits.append(1) if statement == "COMMIT" else None)

    await store._writer.run(trace)
    results = await asyncio.gather(*jobs, return_exceptions=True)
    return len(commits), results


async def test_what_was_written_can_be_read(store):
    await store.write(put("colour", "blue"))
    assert await store.read(get("colour")) == "blue"


async def test_a_write_returns_what_its_job_returned(store):
    def job(_):
        return 42

    assert await store.write(job) == 42


async def test_writes_that_wait_together_share_a_commit(store):
    commits, _ = await commits_of(store, [store.write(put(f"key{n}")) for n in range(300)])
    assert 1 <= commits <= 4
    assert len(await store.read(lambda db: rows(db, "SELECT key FROM settings"))) == 300


async def test_a_failing_job_keeps_nothing_and_harms_no_other(store):
    def bad(db):
        accounts.put_setting(db, "bad", "1")
        raise Conflict("no", "not this one")

    first, failed, last = await asyncio.gather(
        store.write(put("first")), store.write(bad), store.write(put("last")), return_exceptions=True
    )
    assert (first, last) == (None, None)
    assert isinstance(failed, Conflict)
    found = await store.read(lambda db: rows(db, "SELECT key FROM settings ORDER BY key"))
    assert [row[0] for row in found] == ["first", "last"]


async def test_a_job_that_breaks_a_constraint_fails_alone(store):
    def bad(db):
        db.execute("INSERT INTO machine_macs VALUES('x', 'no such machine')")

    failed, good = await asyncio.gather(store.write(bad), store.write(put("good")), return_exceptions=True)
    assert isinstance(failed, sqlite3.IntegrityError)
    assert good is None
    assert await store.read(get("good")) == "1"


@pytest.mark.parametrize("sql", ["INSERT INTO no_such_table VALUES(1)", "SELEC 1", "SELECT no_such_column FROM users"])
async def test_a_job_with_wrong_sql_fails_alone_and_is_no_fault_of_the_disk(store, sql):
    def bad(db):
        db.execute(sql)

    good, failed = await asyncio.gather(store.write(put("beside")), store.write(bad), return_exceptions=True)
    assert good is None
    assert type(failed) is sqlite3.OperationalError
    with pytest.raises(sqlite3.OperationalError):
        await store.read(bad)
    assert await store.read(get("beside")) == "1"


async def test_a_job_whose_caller_gave_up_before_it_began_is_not_run(store):
    gate, ran = Gate(), []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.write(gate))
        await gate.reached()
        given_up = tasks.create_task(store.write(ran.append))
        await asyncio.sleep(0)
        given_up.cancel()
        gate.open()
    await store.write(put("x"))
    assert ran == []


async def test_what_comes_then_comes_also_where_the_caller_gave_up_while_it_was_written(store):
    gate, came = Gate(), []
    async with asyncio.TaskGroup() as tasks:
        given_up = tasks.create_task(store.write(gate, lambda: came.append("written")))
        await gate.reached()
        never = tasks.create_task(store.write(put("y"), lambda: came.append("not begun")))
        await asyncio.sleep(0)
        given_up.cancel()
        never.cancel()
        gate.open()
    with pytest.raises(sqlite3.IntegrityError):
        await store.write(lambda db: db.execute("INSERT INTO settings (key) VALUES (NULL)"), lambda: came.append("no"))
    await store.write(put("x"), lambda: came.append("heard"))
    assert came == ["written", "heard"]


async def test_a_reader_sees_the_last_commit_and_nothing_unfinished(store):
    gate = Gate()

    def slow(db):
        accounts.put_setting(db, "colour", "red")
        gate(db)

    await store.write(put("colour", "blue"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.write(slow))
        await gate.reached()
        assert await store.read(get("colour")) == "blue"
        gate.open()
    assert await store.read(get("colour")) == "red"


async def test_a_read_is_one_snapshot(store):
    await store.write(put("colour", "blue"))
    gate = Gate()

    def twice(db):
        first = accounts.setting(db, "colour")
        gate(db)
        return first, accounts.setting(db, "colour")

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(store.read(twice))
        await gate.reached()
        await store.write(put("colour", "red"))
        gate.open()
    assert reading.result() == ("blue", "blue")
    assert await store.read(get("colour")) == "red"


async def test_nobody_waits_for_somebody_elses_long_read(store):
    gates = [Gate() for _ in range(READERS - 1)]
    await store.write(put("colour", "blue"))
    async with asyncio.TaskGroup() as tasks:
        for gate in gates:
            tasks.create_task(store.read(gate))
            await gate.reached()
        assert await store.read(get("colour")) == "blue"
        for gate in gates:
            gate.open()


async def test_a_reader_cannot_write(store):
    await store.write(put("colour", "blue"))

    def sneaky(db):
        accounts.put_setting(db, "colour", "red")

    await store.read(sneaky)
    assert await store.read(get("colour")) == "blue"


@pytest.mark.parametrize("turns", range(12))
async def test_a_read_that_is_cancelled_at_any_point_leaves_the_reader_usable(store, turns):
    await store.write(put("colour", "blue"))
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(store.read(get("colour")))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
    await store.write(put("colour", "red"))
    assert await store.read(get("colour")) == "red"


async def test_the_file_is_durable_and_keeps_its_promises(store):
    def pragmas(db):
        return [one(db, f"PRAGMA {name}")[0] for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert await store.write(pragmas) == ["wal", 2, 1]


async def test_a_new_file_has_the_newest_schema_and_opening_again_changes_nothing(tmp_path):
    for _ in range(2):
        async with open_store(tmp_path / "store.db") as store:
            row = await store.read(lambda db: one(db, "PRAGMA user_version"))
            assert row[0] == len(MIGRATIONS)


async def test_a_file_of_an_older_schema_is_brought_forward_with_its_content(tmp_path, monkeypatch):
    async with open_store(tmp_path / "store.db") as store:
        await store.write(put("colour", "blue"))
    newer = (*MIGRATIONS, "CREATE TABLE added (x TEXT) STRICT;")
    monkeypatch.setattr("appliance.store.schema.MIGRATIONS", newer)
    async with open_store(tmp_path / "store.db") as store:
        assert await store.read(get("colour")) == "blue"
        assert await store.read(lambda db: rows(db, "SELECT * FROM added")) == []


LEFT = "CREATE TABLE left_sessions (machine TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT;"


@pytest.mark.parametrize("edited", ["", LEFT])
async def test_a_file_of_the_first_schema_is_brought_forward_whichever_first_schema_it_was(tmp_path, edited):
    """The first script was edited once, after files had been made with it."""
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.executescript(f"{MIGRATIONS[0]}{edited}PRAGMA user_version=1;")
    async with open_store(tmp_path / "store.db") as store:
        assert await store.read(lambda db: rows(db, "SELECT machine, hash FROM left_sessions")) == []


def test_the_first_schema_stays_as_the_oldest_files_have_it():
    script = " ".join(MIGRATIONS[0].split())
    assert hashlib.sha256(script.encode()).hexdigest()[:32] == "4186d3b5e520738d7930a1263c0bdeef"


async def test_events_of_strangers_are_found_after_the_schema_learnt_their_interface(tmp_path):
    before = next(number for number, script in enumerate(MIGRATIONS) if "events_strangers" in script)
    old = Event("dhcp.seen", 100.0, "seen", detail={"mac": "52:54:00:00:00:01"})
    with sqlite3.connect(tmp_path / "store.db") as db:
        for script in MIGRATIONS[:before]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {before}")
        db.execute("INSERT INTO events(at, kind, doc) VALUES(?,?,?)", (old.at, old.kind, dump(old)))
    async with open_store(tmp_path / "store.db") as store:
        await store.write(lambda db: events.adopt(db, "52:54:00:00:00:01", "m", 50.0))
        assert [event.text for event in await store.read(lambda db: events.query(db, machine="m"))] == ["seen"]


async def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    async with open_store(tmp_path / "store.db"):
        pass
    broken = (*MIGRATIONS, "CREATE TABLE added (x TEXT); CREATE NONSENSE;")
    monkeypatch.setattr("appliance.store.schema.MIGRATIONS", broken)
    with pytest.raises(ApplianceError, match="NONSENSE"):
        async with open_store(tmp_path / "store.db"):
            pass
    with sqlite3.connect(tmp_path / "store.db") as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'added'").fetchone()[0] == 0


async def test_a_file_of_a_newer_version_is_refused_untouched(tmp_path):
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    with pytest.raises(ApplianceError) as caught:
        async with open_store(path):
            pass
    assert caught.value.code == "store-newer"
    assert "newer version" in caught.value.message


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(ApplianceError) as caught:
        async with open_store(path):
            pass
    assert caught.value.code == "store-unusable"
    assert "backup" in caught.value.hint


async def test_a_store_that_finds_no_room_is_not_one_to_restore(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(ApplianceError) as caught:
            async with open_store(tmp_path / "store.db"):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "store-unusable"
    assert "free some space" in caught.value.hint


async def test_a_store_without_its_directory_says_what_it_needs(tmp_path):
    with pytest.raises(ApplianceError) as caught:
        async with open_store(tmp_path / "no" / "store.db"):
            pass
    assert "may write to" in caught.value.hint


async def test_a_directory_that_is_missing_is_an_error_with_the_path(tmp_path):
    with pytest.raises(ApplianceError, match="no/such"):
        async with open_store(tmp_path / "no" / "such" / "store.db"):
            pass


async def test_a_full_disk_fails_the_write_and_the_store_goes_on_when_there_is_room(store):
    """RLIMIT_FSIZE makes every growing write fail, as a full disk does."""
    await store.write(put("before"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, limits[1]))
    try:
        with pytest.raises(ApplianceError) as caught:
            await store.write(put("large", "x" * 1_000_000))
        assert caught.value.code == "store-failed"
        assert await store.read(get("before")) == "1"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert await store.read(get("large")) is None
    await store.write(put("after"))
    assert await store.read(get("after")) == "1"


async def test_whoever_waits_with_a_write_that_fills_the_disk_is_told_too(store):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, limits[1]))
    try:
        results = await asyncio.gather(
            store.write(put("small")), store.write(put("large", "x" * 1_000_000)), return_exceptions=True
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    kept = await store.read(get("small"))
    assert (results[0] is None) == (kept == "1"), "acknowledged exactly if kept"
    assert isinstance(results[1], ApplianceError)


async def test_two_connections_never_tear_a_batch(tmp_path):
    """What another process sees of the file is whole batches only."""
    async with open_store(tmp_path / "store.db") as store:
        with closing(sqlite3.connect(tmp_path / "store.db")) as other:

            def pair(db, n):
                accounts.put_setting(db, "left", str(n))
                accounts.put_setting(db, "right", str(n))

            async def writing():
                for n in range(50):
                    await store.write(lambda db, n=n: pair(db, n))

            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(writing())
                while not running.done():
                    found = dict(rows(other, "SELECT key, value FROM settings"))
                    assert found.get("left") == found.get("right")
                    await asyncio.sleep(0)


async def test_who_is_impatient_hears_that_the_disk_is_stuck_and_who_is_not_waits(store):
    hang = Gate()

    async def impatient():
        PATIENCE.set(0.05)
        for _ in range(2):
            with pytest.raises(ApplianceError, match="has not answered"):
                await store.write(put("colour", "red"))
        waiting = store._waiting.qsize()
        return waiting, await store.write_if_possible(put("colour", "red"))

    await store.write(put("colour", "blue"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.write(hang))
        await hang.reached()
        tasks.create_task(store.write(put("colour", "green")))
        assert await tasks.create_task(impatient()) == (2, None), "the second one did not even queue up"
        assert await store.read(get("colour")) == "blue", "who only reads does not wait"
        hang.open()
    assert store.stuck_for() == 0.0
    assert await store.read(get("colour")) == "green", "what was given up before it began is not done"


def test_on_a_disk_without_a_byte_left_leases_are_made_longer_and_nothing_large_is_taken(tmp_path):
    program = Path(__file__).with_name("full_disk_process.py")
    argv = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, program, tmp_path]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    lines = ["together None its disk is full: delete images that nobody deploys, or free other space", "ends True True"]
    told = ["renewed, log used", *lines, "renewed, log begun anew", *lines, "checked ok"]
    assert said.stdout.splitlines() == told, said.stderr
