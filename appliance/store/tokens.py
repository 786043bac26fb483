"""Tokens of machines. Only hashes are stored: a stolen file opens nothing."""

import hashlib
import sqlite3
from dataclasses import dataclass
from typing import Any

from appliance.catalogue import ImageId
from appliance.errors import Denied
from appliance.machine import MachineId
from appliance.store.documents import one
from appliance.workflow import AttemptId, DeploymentId

TOKEN_SECONDS = 600.0
"""How long a boot token can be redeemed: the slowest of kernels and initrds take minutes."""
KEEP_BOOTS = 8
"""Boot tokens of one machine: a replay of an older one is no longer told from a made-up one."""
KEEP_RESIDENTS = 16
"""Resident tokens of one deployment; its agent put one of the last on the disk."""


def hash_token(token: str) -> str:
    """What is stored in a token's place. Tokens are 256 random bits, so that no salt or stretching is needed."""
    # Headers may hold bytes that are no text; they come here as lone surrogates and must just match nothing.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class BootToken:
    """Given to a boot on its kernel command line, good for one redemption."""

    hash: str
    machine: MachineId
    nonce: str
    attempt: AttemptId | None
    """The attempt that armed this boot."""
    expires: float
    redeemed_by: str | None
    """Hash of the machine token it was traded for."""
    proven: bool = True
    """Whether the request for it came from the machine's own address."""
    root: bool = False
    """Whether it is traded for a root, by the hand-over initrd; else for a session, by an agent."""
    admitted: bool = False
    """Whether the boot that has traded it for a root may have that: it was armed, or somebody has let it in."""

    @property
    def issued(self) -> float:
        """When the boot began that got it."""
        return self.expires - TOKEN_SECONDS


@dataclass(frozen=True, slots=True)
class MachineSession:
    """One boot of the maintenance stack, from redemption to the next one."""

    hash: str
    machine: MachineId
    poll: str
    attempt: AttemptId | None
    created: float
    """When the boot began."""
    proven: bool = True
    """As of the boot token; without, it gets no work, and what it says changes nothing."""


def add_boot(db: sqlite3.Connection, token: BootToken) -> None:
    """Store a boot token; forget those that expired a day ago, and all but the last few of the machine.

    A root that was asked for by an earlier boot is asked for no longer.

    Those that were not proven are counted apart: nobody pushes out what the machine itself was given.
    """
    db.execute("DELETE FROM boot_tokens WHERE expires < ? - 86400", (token.expires,))
    if token.proven:
        db.execute("DELETE FROM boot_tokens WHERE machine = ? AND root AND redeemed_by IS NOT NULL", (token.machine,))
    db.execute(
        "DELETE FROM boot_tokens WHERE rowid IN"
        " (SELECT rowid FROM boot_tokens WHERE machine = ? AND proven = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
        (token.machine, token.proven, KEEP_BOOTS - 1),
    )
    db.execute(
        "INSERT INTO boot_tokens VALUES(?,?,?,?,?,?,?,?,?)",
        (
            token.hash,
            token.machine,
            token.nonce,
            token.attempt,
            token.expires,
            token.redeemed_by,
            token.proven,
            token.root,
            token.admitted,
        ),
    )


def find_boot(db: sqlite3.Connection, token: str) -> BootToken | None:
    """The boot token, redeemed or not."""
    row = one(db, "SELECT * FROM boot_tokens WHERE hash = ?", hash_token(token))
    return boot_token(row) if row else None


def boot_token(row: tuple[Any, ...]) -> BootToken:
    """A row of the table as it is stored."""
    token, machine, nonce, attempt, expires, redeemed_by, proven, root, admitted = row
    flags = bool(proven), bool(root), bool(admitted)
    return BootToken(token, machine, nonce, attempt, expires, redeemed_by, *flags)


def spend_boot(db: sqlite3.Connection, token: BootToken) -> None:
    """From here on nobody knows this boot token."""
    db.execute("DELETE FROM boot_tokens WHERE hash = ?", (token.hash,))


def redeem(db: sqlite3.Connection, token: BootToken, session: MachineSession) -> None:
    """Trade the boot token for a session, which ends every earlier session and boot token of the machine.

    One that is not proven ends only such; the caller sees to it that the machine has no other.
    """
    db.execute("DELETE FROM machine_sessions WHERE machine = ? AND proven <= ?", (token.machine, token.proven))
    if token.proven:
        db.execute("DELETE FROM left_sessions WHERE machine = ?", (token.machine,))
    db.execute(
        "INSERT INTO machine_sessions VALUES(?,?,?,?,?,?)",
        (session.hash, session.machine, session.poll, session.attempt, session.created, session.proven),
    )
    db.execute("UPDATE boot_tokens SET redeemed_by = ? WHERE hash = ?", (session.hash, token.hash))
    db.execute(
        "DELETE FROM boot_tokens WHERE machine = ? AND hash <> ? AND (redeemed_by IS NULL OR root) AND proven <= ?",
        (token.machine, token.hash, token.proven),
    )
    if token.proven:
        end_downloads(db, token.machine)


def session(db: sqlite3.Connection, machine_token: str) -> MachineSession | None:
    """The session that this machine token opens."""
    row = one(db, "SELECT * FROM machine_sessions WHERE hash = ?", hash_token(machine_token))
    return MachineSession(*row) if row else None


def session_of(db: sqlite3.Connection, machine: MachineId) -> MachineSession | None:
    """The present session of a machine."""
    row = one(db, "SELECT * FROM machine_sessions WHERE machine = ?", machine)
    return MachineSession(*row) if row else None


def get_session(db: sqlite3.Connection, token: str) -> MachineSession:
    """The session that a machine token opens; raises Denied ``session-unknown``."""
    found = session(db, token)
    if found is None:
        raise Denied("session-unknown", "this session has ended", "restart the machine")
    return found


def session_by_poll(db: sqlite3.Connection, poll: str) -> MachineSession | None:
    """The session with this poll id."""
    row = one(db, "SELECT * FROM machine_sessions WHERE poll = ?", poll)
    return MachineSession(*row) if row else None


def end_sessions(db: sqlite3.Connection, machine: MachineId, but: str = "") -> None:
    """Every token of the machine is worthless from here on, those of its roots too, ``but`` the one with this hash."""
    db.execute("DELETE FROM machine_sessions WHERE machine = ?", (machine,))
    ended = "(redeemed_by IS NULL OR root) AND hash <> ?"
    db.execute(f"DELETE FROM boot_tokens WHERE machine = ? AND {ended}", (machine, but))  # noqa: S608 - ours
    end_downloads(db, machine)


def end_downloads(db: sqlite3.Connection, machine: MachineId) -> None:
    """No boot of the machine may read the image that is its root any more."""
    db.execute("DELETE FROM root_downloads WHERE machine = ?", (machine,))


def leave(db: sqlite3.Connection, machine: MachineId, but: str = "") -> None:
    """The machine leaves the maintenance stack: its session opens nothing, but is remembered for ``has_left``.

    ``but`` is the hash of the boot token that it leaves with.
    """
    left = "INSERT OR REPLACE INTO left_sessions SELECT machine, hash FROM machine_sessions WHERE machine = ?"
    db.execute(left, (machine,))
    end_sessions(db, machine, but)


def has_left(db: sqlite3.Connection, machine_token: str) -> MachineId | None:
    """The machine that left with this session last, so that it can hear again that we know."""
    row = one(db, "SELECT machine FROM left_sessions WHERE hash = ?", hash_token(machine_token))
    return MachineId(row[0]) if row else None


def put_resident(
    db: sqlite3.Connection, token: str, deployment: DeploymentId, machine: MachineId, now: float, since: float
) -> None:
    """Give a deployed system its token; those from before ``since`` are worthless.

    One attempt may hand out several, and only its agent knows which of them is on the disk.
    """
    db.execute("DELETE FROM resident_tokens WHERE deployment = ? AND created < ?", (deployment, since))
    db.execute(
        "DELETE FROM resident_tokens WHERE rowid IN"
        " (SELECT rowid FROM resident_tokens WHERE deployment = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
        (deployment, KEEP_RESIDENTS - 1),
    )
    created = max(now, since)  # the clock may have gone back, and the attempt's next token would end this one
    db.execute("INSERT INTO resident_tokens VALUES(?,?,?,?)", (hash_token(token), deployment, machine, created))


def keep_resident(db: sqlite3.Connection, token: str, deployment: DeploymentId) -> None:
    """The deployed system runs with this token: every other one of its deployment is worthless."""
    db.execute("DELETE FROM resident_tokens WHERE deployment = ? AND hash <> ?", (deployment, hash_token(token)))


def resident(db: sqlite3.Connection, token: str) -> tuple[DeploymentId, MachineId] | None:
    """Whose resident this token belongs to."""
    row = one(db, "SELECT deployment, machine FROM resident_tokens WHERE hash = ?", hash_token(token))
    return (DeploymentId(row[0]), MachineId(row[1])) if row else None


def end_resident(db: sqlite3.Connection, deployment: DeploymentId) -> None:
    """The deployed system is nobody's any more."""
    db.execute("DELETE FROM resident_tokens WHERE deployment = ?", (deployment,))


def put_download(db: sqlite3.Connection, token: str, attempt: AttemptId, image: ImageId) -> None:
    """Allow one image to be read while one attempt lives.

    Tokens of the machine's ended attempts go, and those of this one but for the last: its answer may be on its way.
    """
    ended = "SELECT id FROM attempts WHERE status <> 'live' AND machine = (SELECT machine FROM attempts WHERE id = ?)"
    db.execute(f"DELETE FROM download_tokens WHERE attempt IN ({ended})", (attempt,))  # noqa: S608 - ours
    db.execute(
        "DELETE FROM download_tokens WHERE rowid IN"
        " (SELECT rowid FROM download_tokens WHERE attempt = ? ORDER BY rowid DESC LIMIT -1 OFFSET 1)",
        (attempt,),
    )
    db.execute("INSERT INTO download_tokens VALUES(?,?,?)", (hash_token(token), attempt, image))


def may_download(db: sqlite3.Connection, token: str, image: int) -> bool:
    """Whether the token opens this image now."""
    sql = (
        "SELECT 1 FROM download_tokens d JOIN attempts a ON a.id = d.attempt"
        " WHERE d.hash = ? AND d.image = ? AND a.status = 'live'"
    )
    boots = "SELECT 1 FROM root_downloads WHERE hash = ? AND image = ?"
    return one(db, f"{sql} UNION ALL {boots}", *(hash_token(token), image) * 2) is not None
