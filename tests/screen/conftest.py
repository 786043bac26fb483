"""What several tests of the screen need."""

import sqlite3
from contextlib import closing

import pytest

from appliance.store import accounts
from appliance.store.accounts import User
from appliance.store.schema import migrate


@pytest.fixture
def store(tmp_path):
    """With one administrator who may come in, and one who may not."""
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        migrate(db)
        accounts.add_user(db, User("ada", "no hash", "admin", 1.0))
        accounts.add_user(db, User("eve", "no hash", "admin", 1.0, disabled=True))
