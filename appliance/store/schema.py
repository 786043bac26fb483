"""The schema as a list of migrations; ``PRAGMA user_version`` counts those that a file has seen."""

import aiosqlite

from appliance.errors import ApplianceError

# These ran on files that exist: what changes is a further script at the end, never one that stands here.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE machines (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, state TEXT NOT NULL, uuid TEXT, doc BLOB NOT NULL
    ) STRICT;
    CREATE INDEX machines_uuid ON machines(uuid);
    CREATE TABLE machine_macs (mac TEXT PRIMARY KEY, machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE)
        STRICT;
    CREATE TABLE inventories (machine TEXT PRIMARY KEY REFERENCES machines(id) ON DELETE CASCADE, doc BLOB NOT NULL)
        STRICT;
    CREATE TABLE images (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, doc BLOB NOT NULL) STRICT;
    CREATE TABLE kernels (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, doc BLOB NOT NULL) STRICT;
    CREATE TABLE deployments (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
        image INTEGER NOT NULL REFERENCES images(id), machine TEXT UNIQUE REFERENCES machines(id), doc BLOB NOT NULL
    ) STRICT;
    CREATE TABLE attempts (
        id TEXT PRIMARY KEY, machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE,
        deployment INTEGER, status TEXT NOT NULL, started REAL NOT NULL, doc BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX attempts_one_live ON attempts(machine) WHERE status = 'live';
    CREATE INDEX attempts_machine ON attempts(machine, started);
    CREATE TABLE boot_tokens (
        hash TEXT PRIMARY KEY, machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE,
        nonce TEXT NOT NULL, attempt TEXT, expires REAL NOT NULL, redeemed_by TEXT
    ) STRICT;
    CREATE TABLE machine_sessions (
        hash TEXT PRIMARY KEY, machine TEXT NOT NULL UNIQUE REFERENCES machines(id) ON DELETE CASCADE,
        poll TEXT NOT NULL UNIQUE, attempt TEXT, created REAL NOT NULL
    ) STRICT;
    CREATE TABLE resident_tokens (
        hash TEXT PRIMARY KEY, deployment INTEGER NOT NULL REFERENCES deployments(id) ON DELETE CASCADE,
        machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE, created REAL NOT NULL
    ) STRICT;
    CREATE TABLE download_tokens (
        hash TEXT PRIMARY KEY, attempt TEXT NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, image INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE leases (interface TEXT NOT NULL, address TEXT NOT NULL, doc BLOB NOT NULL,
        PRIMARY KEY (interface, address)) STRICT;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL,
        machine TEXT, deployment INTEGER, doc BLOB NOT NULL
    ) STRICT;
    CREATE INDEX events_machine ON events(machine, id);
    CREATE INDEX events_deployment ON events(deployment, id);
    CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT NOT NULL, role TEXT NOT NULL, created REAL NOT NULL)
        STRICT;
    CREATE TABLE user_sessions (
        hash TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
        created REAL NOT NULL, used REAL NOT NULL, expires REAL NOT NULL
    ) STRICT;
    CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    """,
    """
    CREATE INDEX events_boots ON events(machine, id)
        WHERE kind IN ('script.served', 'agent.started', 'resident.active');
    """,
    """
    ALTER TABLE events ADD COLUMN mac TEXT;
    UPDATE events SET mac = json_extract(CAST(doc AS TEXT), '$.detail.mac') WHERE machine IS NULL;
    CREATE INDEX events_strangers ON events(mac, at) WHERE machine IS NULL AND mac IS NOT NULL;
    """,
    # Files that were made while this stood in the first script have it already.
    """
    CREATE TABLE IF NOT EXISTS left_sessions (
        machine TEXT PRIMARY KEY REFERENCES machines(id) ON DELETE CASCADE, hash TEXT NOT NULL
    ) STRICT;
    """,
    """
    CREATE TABLE doomed_files (path TEXT PRIMARY KEY) STRICT;
    """,
    """
    CREATE TABLE interface_claims (
        mac TEXT NOT NULL, machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE, PRIMARY KEY (mac, machine)
    ) STRICT;
    CREATE INDEX interface_claims_machine ON interface_claims(machine);
    """,
    """
    ALTER TABLE boot_tokens ADD COLUMN proven INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE machine_sessions ADD COLUMN proven INTEGER NOT NULL DEFAULT 1;
    """,
    """
    CREATE INDEX boot_tokens_machine ON boot_tokens(machine, proven);
    CREATE INDEX boot_tokens_expires ON boot_tokens(expires);
    CREATE INDEX download_tokens_attempt ON download_tokens(attempt);
    DELETE FROM download_tokens WHERE attempt IN (SELECT id FROM attempts WHERE status <> 'live');
    """,
)


async def migrate(db: aiosqlite.Connection) -> None:
    """Bring the file to the newest schema, one transaction per step; refuses a file from a newer version."""
    async with db.execute("PRAGMA user_version") as cursor:
        row = await cursor.fetchone()
    version = int(row[0]) if row else 0
    if version > len(MIGRATIONS):
        raise ApplianceError(
            "store-newer",
            f"the state was written by a newer version (schema {version}, this program knows {len(MIGRATIONS)})",
            "install that version again, or restore a backup of the state made before it",
        )
    for number in range(version, len(MIGRATIONS)):
        await db.executescript(f"BEGIN;{MIGRATIONS[number]};PRAGMA user_version={number + 1};COMMIT;")
