"""A lost password, replaced in the store itself."""

import os
import sqlite3
from contextlib import closing

import pytest

from appliance.errors import ApplianceError
from appliance.store import accounts, events
from appliance.store.accounts import User
from appliance.store.store import open_store
from appliance.web import recovery
from appliance.web.passwords import Passwords, default_hasher
from appliance.web.recovery import find_user, reset_password

PASSWORD = "a horse on a bicycle"


@pytest.fixture
async def store(tmp_path):
    async with open_store(tmp_path / "store.db") as opened:
        for name, role in (("ada", "admin"), ("vic", "viewer")):
            await opened.write(lambda db, n=name, r=role: accounts.add_user(db, User(n, "old", r, 1.0)))
            sql = "INSERT INTO log_ins VALUES(?, ?, 1, 1, 9e9, 'address', 'program')"
            await opened.write(lambda db, n=name, s=sql: db.execute(s, (n, n)))
        yield opened


async def log_ins(store):
    def job(db):
        return [row[0] for row in db.execute("SELECT user FROM log_ins ORDER BY user").fetchall()]

    return await store.read(job)


async def test_the_store_that_is_open_sees_it_at_once(store, tmp_path):
    assert await reset_password(tmp_path, "ada", PASSWORD, 7.0) is True
    found = await store.read(lambda db: accounts.user(db, "ada"))
    assert await Passwords(default_hasher()).matches(found.password, PASSWORD)
    assert found.role == "admin"
    assert await log_ins(store) == ["vic"], "those of others go on"
    (event,) = await store.read(events.query)
    assert (event.at, event.kind) == (7.0, "user.changed")
    assert "ada" in event.text
    assert PASSWORD not in str(event)


async def test_it_is_in_the_audit_log_without_the_secret(store, tmp_path):
    await reset_password(tmp_path, "ada", PASSWORD, 7.0)
    (document,) = await store.read(lambda db: db.execute("SELECT * FROM audit").fetchall())
    assert "user.password" in str(tuple(document))
    assert "argon2" not in str(tuple(document))


async def test_that_no_administrator_is_left_is_told(store, tmp_path):
    await store.write(lambda db: db.execute("UPDATE users SET disabled = 1 WHERE name = 'ada'"))
    assert await reset_password(tmp_path, "vic", PASSWORD, 7.0) is False


async def test_a_password_that_does_not_do_changes_nothing(store, tmp_path):
    with pytest.raises(ApplianceError, match="5 characters"):
        await reset_password(tmp_path, "ada", "short", 7.0)
    with pytest.raises(ApplianceError, match="no user"):
        await reset_password(tmp_path, "eve", PASSWORD, 7.0)
    assert await log_ins(store) == ["ada", "vic"]
    assert await store.read(events.query) == []


async def test_a_busy_writer_is_waited_for(store, tmp_path, monkeypatch):
    monkeypatch.setattr(recovery, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ApplianceError) as raised:
            await reset_password(tmp_path, "ada", PASSWORD, 7.0)
        assert raised.value.code == "store-unusable"
        other.execute("ROLLBACK")
    assert await reset_password(tmp_path, "ada", PASSWORD, 7.0)


async def test_a_store_of_another_version_is_left_alone(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        await store.write(lambda db: accounts.add_user(db, User("ada", "old", "admin", 1.0)))
    with closing(sqlite3.connect(tmp_path / "store.db")) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version - 1}")
    with pytest.raises(ApplianceError) as raised:
        await reset_password(tmp_path, "ada", PASSWORD, 7.0)
    assert raised.value.code == "store-other-schema"


async def test_only_root_and_the_daemons_user_may(store, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(ApplianceError) as raised:
        find_user(tmp_path, "ada")
    assert raised.value.code == "not-allowed"


async def test_nothing_is_made_where_nothing_is(tmp_path):
    with pytest.raises(ApplianceError) as raised:
        find_user(tmp_path, "ada")
    assert raised.value.code == "store-unusable"
    assert not list(tmp_path.iterdir())
