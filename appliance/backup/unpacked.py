"""A backup unpacked into a directory, and whether what is in it can be lived with. Nothing else is touched."""

import asyncio
import contextvars
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from appliance import power_key
from appliance.backup import format as layout
from appliance.backup import uploads
from appliance.backup.contents import Contents
from appliance.backup.format import Header, Member, Upload, damaged
from appliance.backup.incoming import OFFERED_NETWORK
from appliance.backup.overtaken import end_overtaken
from appliance.backup.snapshot import ROOM, trouble
from appliance.backup.staging import CONFIG
from appliance.certificates import parse_authority
from appliance.errors import ApplianceError
from appliance.events import Bus, Event
from appliance.reconcile.record import Tell, record
from appliance.state import writing
from appliance.store import log_ins
from appliance.store.schema import MIGRATIONS
from appliance.store.store import open_store


class Unpacking:
    """Takes the members of a backup into ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(self, contents: Contents) -> None:
        """Raises ApplianceError ``restore-no-room``."""
        found = os.statvfs(self._directory)
        free, needed = found.f_bavail * found.f_frsize, sum(each.size for each in contents.manifest.members) + ROOM
        if free < needed:
            where = self._directory.parent
            message = f"{where} has {free / 1e6:.0f} MB free, and the backup needs {needed / 1e6:.0f} MB"
            raise ApplianceError("restore-no-room", message, "free some space; nothing was changed")

    @contextmanager
    def take(self, member: Member) -> Iterator[BinaryIO]:
        """A private file, on disk at the end. Raises ApplianceError ``state-unwritable``."""
        path = self._place(member)
        with writing(path):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())

    def _place(self, member: Member) -> Path:
        beside = {layout.CONFIG: CONFIG, layout.NETWORK: OFFERED_NETWORK}
        return self._directory / beside.get(member.name, uploads.place(self._directory, member))


def check_schema(header: Header, name: str) -> None:
    """Raise ApplianceError ``backup-newer`` where this program would not understand the store."""
    if header.schema > len(MIGRATIONS):
        message = f"{name} is of version {header.product} (schema {header.schema}, this one knows {len(MIGRATIONS)})"
        raise ApplianceError("backup-newer", message, "install that version or a newer one, then restore with it")


def check_unpacked(directory: Path, header: Header, name: str) -> None:
    """Raise ApplianceError ``backup-damaged`` for a store or an authority that the daemon could not use."""
    try:
        found = parse_authority((directory / "authority.pem").read_bytes()).fingerprint
    except (ValueError, TypeError) as error:
        raise damaged(name, f"its authority cannot be used: {error}") from error
    if found != header.authority:
        raise damaged(name, "its authority is another one than its header says")
    try:
        with closing(sqlite3.connect(directory / "store.db")) as store:
            told = trouble(store)
            (schema,) = store.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise damaged(name, f"its store cannot be read: {error}") from error
    if told is not None or schema != header.schema:
        raise damaged(name, f"its store is not whole: {told or 'another schema'}, schema {schema}")


def make_ready(directory: Path, header: Header, now: float) -> None:
    """Bring the store to our schema, and note in it where it comes from.

    Log-ins end: some of them may have been ended for a reason after the backup was made. So does all work that was
    going on then, see ``overtaken``.
    """
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(header.created))
    text = f"the state was restored from a backup of {header.host}, version {header.product}, made at {made}"
    event = Event("state.restored", now, text, detail={"created": header.created, "authority": header.authority})

    def job(db: sqlite3.Connection, tell: Tell) -> None:
        log_ins.end_every(db)
        tell(event)
        end_overtaken(db, tell, text, now)

    async def run() -> None:
        async with open_store(directory / "store.db") as store:
            await record(store, Bus(), job)

    # In a context of its own: what the daemon's running request asks of its own store does not hold for this one.
    contextvars.Context().run(asyncio.run, run())


def adopt(directory: Path, old: Path, named: Sequence[Upload]) -> None:
    """Take content that the backup lacks from the state that was here, as a second name of the same file.

    Only what has the right checksum is taken. What cannot be had is missing later, and told then.
    """
    for each in [each for each in named if not each.included]:
        place, there = uploads.place(directory, each.member), uploads.place(old, each.member)
        if _holds(there, each.member):
            with suppress(OSError):
                place.parent.mkdir(mode=0o700, exist_ok=True)
                os.link(there, place)


def adopt_key(directory: Path, old: Path) -> None:
    """Keep the key of the passwords of power switches where the backup has none: it may be what they were sealed with.

    Where it is not, they have to be typed again, as without it.
    """
    place, there = directory / power_key.NAME, old / power_key.NAME
    if not place.exists() and there.is_file():
        with suppress(OSError):
            os.link(there, place)


def _holds(path: Path, member: Member) -> bool:
    with suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == member.sha256
    return False


def give_to(directory: Path, owner: os.stat_result) -> None:
    """Let everything in the directory belong to the user of the old state; only root can, and needs to."""
    if os.geteuid() != 0:
        return
    for each in (directory, *directory.rglob("*")):
        os.chown(each, owner.st_uid, owner.st_gid, follow_symlinks=False)
