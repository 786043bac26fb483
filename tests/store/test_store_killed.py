"""What was acknowledged survives kill -9."""

import subprocess
import sys
from pathlib import Path

from appliance.store.documents import rows
from appliance.store.store import open_store

WRITER = Path(__file__).with_name("store_process.py")


async def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path):
    path = tmp_path / "store.db"
    for wanted in (50, 400):
        with subprocess.Popen([sys.executable, WRITER, path], stdout=subprocess.PIPE, text=True) as process:
            acknowledged = [next(process.stdout).strip() for _ in range(wanted)]
            process.kill()
            acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
        async with open_store(path) as store:
            kept = {row[0] for row in await store.read(lambda db: rows(db, "SELECT key FROM settings"))}
            assert set(acknowledged) <= kept
            assert [tuple(r) for r in await store.read(lambda db: rows(db, "PRAGMA integrity_check"))] == [("ok",)]
