"""The schema as a list of migrations; ``PRAGMA user_version`` counts those that a file has seen."""

import sqlite3

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
    """
    CREATE TABLE tasks (
        id INTEGER PRIMARY KEY AUTOINCREMENT, created REAL NOT NULL, title TEXT NOT NULL, owner TEXT NOT NULL,
        kind TEXT NOT NULL, status TEXT NOT NULL, job INTEGER NOT NULL, machine TEXT, deployment INTEGER, attempt TEXT,
        ended REAL, doc BLOB NOT NULL
    ) STRICT;
    CREATE INDEX tasks_open ON tasks(id) WHERE ended IS NULL;
    CREATE INDEX tasks_ended ON tasks(id) WHERE ended IS NOT NULL;
    CREATE INDEX tasks_status ON tasks(status, id);
    CREATE INDEX tasks_title ON tasks(title, id);
    CREATE INDEX tasks_owner ON tasks(owner, id);
    CREATE INDEX tasks_kind ON tasks(kind, id);
    CREATE INDEX tasks_machine ON tasks(machine, id);
    CREATE INDEX tasks_deployment ON tasks(deployment, id);
    CREATE INDEX tasks_open_attempt ON tasks(attempt) WHERE ended IS NULL;
    CREATE TABLE task_log (
        number INTEGER PRIMARY KEY AUTOINCREMENT, task INTEGER NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
        at REAL NOT NULL, text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX task_log_task ON task_log(task, number);
    CREATE TABLE task_items (
        task INTEGER NOT NULL REFERENCES tasks(id) ON DELETE CASCADE, position INTEGER NOT NULL,
        status TEXT NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (task, position)
    ) STRICT;
    """,
    # Log-ins of before end here: their tokens could not be replaced while they are in use.
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, role TEXT NOT NULL,
        via TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
        name TEXT NOT NULL, outcome TEXT NOT NULL, doc BLOB NOT NULL
    ) STRICT;
    CREATE INDEX audit_at ON audit(at, id);
    CREATE INDEX audit_who ON audit(who, id);
    CREATE INDEX audit_action ON audit(action, id);
    CREATE INDEX audit_subject ON audit(subject, id);
    CREATE INDEX audit_name ON audit(name, id);
    ALTER TABLE users ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE users ADD COLUMN last_log_in REAL;
    DROP TABLE user_sessions;
    CREATE TABLE log_ins (
        id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
        created REAL NOT NULL, used REAL NOT NULL, expires REAL NOT NULL,
        address TEXT NOT NULL, program TEXT NOT NULL
    ) STRICT;
    CREATE INDEX log_ins_user ON log_ins(user, used);
    CREATE TABLE log_in_tokens (
        hash TEXT PRIMARY KEY, log_in TEXT NOT NULL REFERENCES log_ins(id) ON DELETE CASCADE,
        created REAL NOT NULL, used REAL, retired REAL
    ) STRICT;
    CREATE INDEX log_in_tokens_log_in ON log_in_tokens(log_in, created);
    CREATE TABLE api_tokens (
        id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE, name TEXT NOT NULL,
        hash TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, created REAL NOT NULL, expires REAL, used REAL,
        used_from TEXT NOT NULL, UNIQUE (user, name)
    ) STRICT;
    """,
    # The network: what was heard on it, other DHCP servers, addresses and names that users keep, leases to be listed.
    """
    CREATE TABLE sightings (
        mac TEXT PRIMARY KEY, interface TEXT NOT NULL, first REAL NOT NULL, last REAL NOT NULL, stage INTEGER NOT NULL,
        search TEXT NOT NULL, doc BLOB NOT NULL
    ) STRICT;
    CREATE INDEX sightings_last ON sightings(last, mac);
    CREATE INDEX sightings_first ON sightings(first, mac);
    CREATE INDEX sightings_stage ON sightings(stage, mac);
    CREATE INDEX sightings_interface ON sightings(interface, mac);
    CREATE TABLE foreign_servers (
        interface TEXT NOT NULL, address TEXT NOT NULL, last REAL NOT NULL, doc BLOB NOT NULL,
        PRIMARY KEY (interface, address)
    ) STRICT;
    CREATE TABLE reservations (
        mac TEXT PRIMARY KEY, address TEXT NOT NULL UNIQUE, name TEXT UNIQUE, note TEXT NOT NULL, created REAL NOT NULL
    ) STRICT;
    CREATE TABLE dns_records (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL,
        note TEXT NOT NULL, created REAL NOT NULL, UNIQUE (name, type, value)
    ) STRICT;
    ALTER TABLE leases ADD COLUMN mac TEXT GENERATED ALWAYS AS (json_extract(CAST(doc AS TEXT), '$.mac')) VIRTUAL;
    ALTER TABLE leases ADD COLUMN hostname TEXT
        GENERATED ALWAYS AS (json_extract(CAST(doc AS TEXT), '$.hostname')) VIRTUAL;
    ALTER TABLE leases ADD COLUMN state TEXT GENERATED ALWAYS AS (json_extract(CAST(doc AS TEXT), '$.state')) VIRTUAL;
    ALTER TABLE leases ADD COLUMN since REAL GENERATED ALWAYS AS (json_extract(CAST(doc AS TEXT), '$.start')) VIRTUAL;
    ALTER TABLE leases ADD COLUMN until REAL GENERATED ALWAYS AS (json_extract(CAST(doc AS TEXT), '$.end')) VIRTUAL;
    ALTER TABLE leases ADD COLUMN number INTEGER GENERATED ALWAYS AS (
        json_extract('[' || replace(address, '.', ',') || ']', '$[0]') * 16777216
        + json_extract('[' || replace(address, '.', ',') || ']', '$[1]') * 65536
        + json_extract('[' || replace(address, '.', ',') || ']', '$[2]') * 256
        + json_extract('[' || replace(address, '.', ',') || ']', '$[3]')
    ) VIRTUAL;
    CREATE INDEX leases_number ON leases(number);
    CREATE INDEX leases_mac ON leases(mac);
    CREATE INDEX leases_hostname ON leases(hostname);
    CREATE INDEX leases_until ON leases(until);
    """,
    """
    CREATE TABLE boot_messages (
        machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE, source TEXT NOT NULL, boot TEXT NOT NULL,
        at REAL NOT NULL, text BLOB NOT NULL, PRIMARY KEY (machine, source)
    ) STRICT;
    """,
    # What lists of machines show, filter and sort by, kept beside the documents: those are not read for a list.
    """
    ALTER TABLE machines ADD COLUMN maintenance INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE machines ADD COLUMN firmware TEXT NOT NULL DEFAULT '';
    ALTER TABLE machines ADD COLUMN address INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE machines ADD COLUMN last_seen REAL NOT NULL DEFAULT 0;
    ALTER TABLE machines ADD COLUMN created REAL NOT NULL DEFAULT 0;
    ALTER TABLE machines ADD COLUMN cpus INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE machines ADD COLUMN memory INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE machines ADD COLUMN search TEXT NOT NULL DEFAULT '';
    ALTER TABLE machines ADD COLUMN hardware TEXT NOT NULL DEFAULT '';
    ALTER TABLE machines ADD COLUMN digest BLOB;
    CREATE TABLE machine_tags (
        machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (machine, tag)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX machine_tags_tag ON machine_tags(tag, machine);
    UPDATE machines SET
        maintenance = coalesce(json_extract(CAST(doc AS TEXT), '$.maintenance'), 1),
        firmware = coalesce(json_extract(CAST(doc AS TEXT), '$.firmware'), ''),
        last_seen = coalesce(json_extract(CAST(doc AS TEXT), '$.last_seen'), 0),
        created = coalesce(json_extract(CAST(doc AS TEXT), '$.created'), 0),
        search = lower(
            name || ' ' || coalesce(json_extract(CAST(doc AS TEXT), '$.address'), '')
            || ' ' || coalesce(json_extract(CAST(doc AS TEXT), '$.serial'), '') || ' ' || coalesce(uuid, '')
            || ' ' || coalesce(json_extract(CAST(doc AS TEXT), '$.firmware'), '')
            || ' ' || coalesce(json_extract(CAST(doc AS TEXT), '$.notes'), '')
            || ' ' || coalesce((SELECT group_concat(mac, ' ') FROM machine_macs WHERE machine = machines.id), '')
        );
    UPDATE machines SET address = (
        SELECT json_extract(parts, '$[0]') * 16777216 + json_extract(parts, '$[1]') * 65536
            + json_extract(parts, '$[2]') * 256 + json_extract(parts, '$[3]')
        FROM (SELECT '[' || replace(json_extract(CAST(doc AS TEXT), '$.address'), '.', ',') || ']' AS parts)
    ) WHERE json_extract(CAST(doc AS TEXT), '$.address') GLOB '*.*.*.*';
    INSERT OR IGNORE INTO machine_tags
        SELECT m.id, t.value FROM machines m, json_each(CAST(m.doc AS TEXT), '$.tags') t;
    UPDATE machines SET
        (cpus, memory, hardware, digest) = (
            SELECT cpus, memory, lower(
                coalesce(json_extract(doc, '$.system.manufacturer'), '')
                || ' ' || coalesce(json_extract(doc, '$.system.product'), '')
                || ' ' || coalesce((
                    SELECT group_concat(json_extract(value, '$.serial'), ' ')
                    FROM json_each(doc, '$.disks') WHERE type = 'object'), '')
            ), CAST(json_object(
                'cpu', json_object('threads', nullif(cpus, 0)), 'memory', json_object('bytes', nullif(memory, 0)),
                'disks', json((
                    SELECT json_group_array(json_object('bytes', json_extract(value, '$.bytes')))
                    FROM json_each(doc, '$.disks') WHERE type = 'object')),
                'system', json_object('manufacturer', json_extract(doc, '$.system.manufacturer'),
                    'product', json_extract(doc, '$.system.product'))
            ) AS BLOB)
            FROM (
                SELECT
                    CAST(doc AS TEXT) AS doc,
                    CASE json_type(CAST(doc AS TEXT), '$.cpu.threads')
                        WHEN 'integer' THEN json_extract(CAST(doc AS TEXT), '$.cpu.threads') ELSE 0 END AS cpus,
                    CASE json_type(CAST(doc AS TEXT), '$.memory.bytes')
                        WHEN 'integer' THEN json_extract(CAST(doc AS TEXT), '$.memory.bytes') ELSE 0 END AS memory
                FROM inventories WHERE machine = machines.id
            )
        )
        WHERE id IN (SELECT machine FROM inventories);
    CREATE INDEX machines_state ON machines(state, id);
    CREATE INDEX machines_address ON machines(address, id);
    CREATE INDEX machines_cpus ON machines(cpus, id);
    CREATE INDEX machines_memory ON machines(memory, id);
    CREATE INDEX machines_seen ON machines(last_seen, id);
    CREATE INDEX machines_created ON machines(created, id);
    CREATE INDEX attempts_deployment ON attempts(deployment);
    CREATE INDEX deployments_image ON deployments(image);
    CREATE INDEX events_kind ON events(kind, id);
    CREATE INDEX events_at ON events(at, id);
    ALTER TABLE deployments ADD COLUMN created REAL
        GENERATED ALWAYS AS (json_extract(nullif(CAST(doc AS TEXT), ''), '$.created')) VIRTUAL;
    ALTER TABLE deployments ADD COLUMN wanted TEXT
        GENERATED ALWAYS AS (json_extract(nullif(CAST(doc AS TEXT), ''), '$.wanted')) VIRTUAL;
    CREATE TABLE idempotency (
        user TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, at REAL NOT NULL, status INTEGER NOT NULL,
        headers BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (user, key)
    ) STRICT;
    CREATE INDEX idempotency_at ON idempotency(at);
    """,
    # Reservations and leases are listed from indexes alone: no document of a thousand machines is read for a page.
    """
    ALTER TABLE machines ADD COLUMN reserved TEXT
        GENERATED ALWAYS AS (json_extract(CAST(doc AS TEXT), '$.reserved_address')) VIRTUAL;
    ALTER TABLE machines ADD COLUMN reserved_number INTEGER GENERATED ALWAYS AS (
        json_extract('[' || replace(reserved, '.', ',') || ']', '$[0]') * 16777216
        + json_extract('[' || replace(reserved, '.', ',') || ']', '$[1]') * 65536
        + json_extract('[' || replace(reserved, '.', ',') || ']', '$[2]') * 256
        + json_extract('[' || replace(reserved, '.', ',') || ']', '$[3]')
    ) VIRTUAL;
    ALTER TABLE machines ADD COLUMN first_mac TEXT
        GENERATED ALWAYS AS (json_extract(CAST(doc AS TEXT), '$.macs[0]')) VIRTUAL;
    CREATE INDEX machines_reserved ON machines(reserved_number, id, name, reserved, first_mac)
        WHERE reserved IS NOT NULL;
    DROP INDEX leases_number;
    CREATE INDEX leases_number ON leases(number, address, interface, mac, hostname, state, until);
    """,
    # What the reconcile loop may have to act on, found without reading what rests.
    """
    ALTER TABLE machines ADD COLUMN rescued INTEGER
        GENERATED ALWAYS AS (json_extract(CAST(doc AS TEXT), '$.rescue') IS NOT NULL) VIRTUAL;
    CREATE INDEX machines_rescued ON machines(id) WHERE rescued = 1;
    ALTER TABLE deployments ADD COLUMN current INTEGER GENERATED ALWAYS AS (coalesce(
        json_extract(nullif(CAST(doc AS TEXT), ''), '$.installed.generation')
        = json_extract(nullif(CAST(doc AS TEXT), ''), '$.generation'), 0)) VIRTUAL;
    CREATE INDEX deployments_wanted ON deployments(wanted, current, machine) WHERE machine IS NOT NULL;
    CREATE INDEX machines_states ON machines(id, state);
    """,
    # What a machine is chosen by for a deployment, with its disks: no inventory is read to find the one that fits.
    """
    CREATE TABLE machine_disks (
        machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE, name TEXT NOT NULL, bytes INTEGER NOT NULL,
        sector_size INTEGER NOT NULL, empty INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX machine_disks_machine ON machine_disks(machine, empty, sector_size, bytes);
    CREATE INDEX machine_disks_name ON machine_disks(name, sector_size, bytes, machine);
    INSERT INTO machine_disks
        SELECT machine, name, bytes, sector_size, empty FROM (
            SELECT DISTINCT
                i.machine, k.key, CAST(n.value AS TEXT) AS name,
                CASE json_type(k.value, '$.bytes') WHEN 'integer' THEN json_extract(k.value, '$.bytes') ELSE 0 END
                    AS bytes,
                CASE json_type(k.value, '$.sector_size')
                    WHEN 'integer' THEN json_extract(k.value, '$.sector_size') ELSE 512 END AS sector_size,
                coalesce(json_type(k.value, '$.content.empty'), '') = 'true' AS empty
            FROM inventories i, json_each(CAST(i.doc AS TEXT), '$.disks') k,
                json_each(json_array(json_extract(k.value, '$.serial'), json_extract(k.value, '$.wwn'))) n
            WHERE k.type = 'object' AND coalesce(n.value, '') <> ''
                AND coalesce(json_extract(k.value, '$.read_only'), 0) = 0
        );
    CREATE INDEX machines_choice
        ON machines(state, maintenance, memory, name, last_seen, cpus, firmware, id);
    """,
    # Words are looked for in indexes: no document of 200,000 events, or of 20,000 leases, is read for a search.
    """
    ALTER TABLE events ADD COLUMN search TEXT GENERATED ALWAYS AS (lower(
        coalesce(json_extract(CAST(doc AS TEXT), '$.text'), '')
        || ' ' || coalesce(json_extract(CAST(doc AS TEXT), '$.reason'), ''))) VIRTUAL;
    CREATE INDEX events_words ON events(id, kind, search);
    ALTER TABLE leases ADD COLUMN search TEXT
        GENERATED ALWAYS AS (lower(mac || ' ' || address || ' ' || coalesce(hostname, ''))) VIRTUAL;
    CREATE INDEX leases_words ON leases(number, search, mac, hostname, until, state);
    CREATE INDEX audit_actors ON audit(who) WHERE role <> '';
    """,
    # How machines are switched on and off. The secret is sealed; its key is in a file of the state directory.
    """
    CREATE TABLE power_switches (
        machine TEXT PRIMARY KEY REFERENCES machines(id) ON DELETE CASCADE, settings BLOB NOT NULL,
        secret BLOB NOT NULL, state TEXT NOT NULL, seen BLOB NOT NULL, wanted TEXT NOT NULL, wanted_at REAL NOT NULL
    ) STRICT;
    CREATE INDEX power_switches_state ON power_switches(state, machine);
    CREATE TABLE power_orders (
        id INTEGER PRIMARY KEY AUTOINCREMENT, machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE,
        attempt TEXT, task INTEGER, ended REAL, doc BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX power_orders_one_open ON power_orders(machine) WHERE ended IS NULL;
    CREATE INDEX power_orders_machine ON power_orders(machine, id);
    CREATE INDEX power_orders_attempt ON power_orders(attempt) WHERE attempt IS NOT NULL;
    CREATE INDEX power_orders_task ON power_orders(task) WHERE task IS NOT NULL;
    """,
    # What users chose of how subnets are served, and when authoritative service was last known to go on.
    """
    CREATE TABLE subnet_rules (interface TEXT PRIMARY KEY, doc BLOB NOT NULL) STRICT;
    CREATE TABLE subnet_service (interface TEXT PRIMARY KEY, served REAL NOT NULL) STRICT;
    """,
    # Addresses are kept for boards and for ports of relays too; options that users set for machines are found fast.
    """
    ALTER TABLE reservations RENAME COLUMN mac TO owner;
    ALTER TABLE machines ADD COLUMN dhcp_options INTEGER GENERATED ALWAYS AS (
        coalesce(json_extract(CAST(doc AS TEXT), '$.dhcp_options'), '{}') <> '{}') VIRTUAL;
    CREATE INDEX machines_dhcp_options ON machines(id) WHERE dhcp_options = 1;
    """,
    # Leases in columns: a hall that boots has thousands of them written a second, and reads whole pages now and then.
    """
    ALTER TABLE leases RENAME TO leases_as_documents;
    CREATE TABLE leases (
        mac TEXT NOT NULL, number INTEGER NOT NULL, interface TEXT NOT NULL, client_id TEXT NOT NULL,
        hostname TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL, state TEXT NOT NULL, port TEXT NOT NULL,
        address TEXT GENERATED ALWAYS AS (
            (number >> 24) || '.' || (number >> 16 & 255) || '.' || (number >> 8 & 255) || '.' || (number & 255)
        ) VIRTUAL,
        search TEXT GENERATED ALWAYS AS (lower(mac || ' ' || address || ' ' || hostname)) STORED,
        PRIMARY KEY (number, interface)
    ) STRICT, WITHOUT ROWID;
    INSERT OR REPLACE INTO leases(mac, number, interface, client_id, hostname, since, until, state, port)
        SELECT mac, number, interface, coalesce(json_extract(CAST(doc AS TEXT), '$.client_id'), ''),
            coalesce(hostname, ''), since, until, state, coalesce(json_extract(CAST(doc AS TEXT), '$.port'), '')
        FROM leases_as_documents;
    DROP TABLE leases_as_documents;
    CREATE INDEX leases_of ON leases(mac);
    """,
    # Pools of storage: which are ours, what their volumes are for, what is under way. What is in them they say.
    """
    CREATE TABLE pools (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, kind TEXT NOT NULL, place TEXT NOT NULL,
        created REAL NOT NULL, retired REAL
    ) STRICT;
    CREATE UNIQUE INDEX pools_name ON pools(name) WHERE retired IS NULL;
    CREATE TABLE pools_told (pool INTEGER PRIMARY KEY REFERENCES pools(id) ON DELETE CASCADE, doc BLOB NOT NULL) STRICT;
    CREATE TABLE volumes (
        id TEXT PRIMARY KEY, pool INTEGER NOT NULL REFERENCES pools(id) ON DELETE CASCADE, name TEXT NOT NULL,
        use TEXT NOT NULL, of TEXT NOT NULL, golden INTEGER NOT NULL, created REAL NOT NULL
    ) STRICT;
    CREATE INDEX volumes_pool ON volumes(pool, name);
    CREATE INDEX volumes_of ON volumes(use, of);
    CREATE TABLE pool_work (
        id INTEGER PRIMARY KEY AUTOINCREMENT, pool INTEGER NOT NULL REFERENCES pools(id) ON DELETE CASCADE,
        task INTEGER, doc BLOB NOT NULL
    ) STRICT;
    CREATE INDEX pool_work_task ON pool_work(task) WHERE task IS NOT NULL;
    """,
    # Roots that come over the network: who may have one, and what makes it this deployment's own.
    """
    ALTER TABLE boot_tokens ADD COLUMN root INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE boot_tokens ADD COLUMN admitted INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE root_downloads (
        hash TEXT PRIMARY KEY, machine TEXT NOT NULL REFERENCES machines(id) ON DELETE CASCADE, image INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX root_downloads_machine ON root_downloads(machine);
    CREATE TABLE root_layers (
        deployment INTEGER PRIMARY KEY REFERENCES deployments(id) ON DELETE CASCADE, content BLOB NOT NULL
    ) STRICT;
    """,
    # Every list of machines asks which of them wait to be let in; hardly any ever does.
    """
    CREATE INDEX boot_tokens_asking ON boot_tokens(machine) WHERE root AND NOT admitted AND redeemed_by IS NOT NULL;
    """,
    # Root volumes and their exports. They outlive their deployments' rows: what was made has to be deleted first.
    """
    CREATE TABLE root_volumes (
        volume TEXT PRIMARY KEY, deployment INTEGER NOT NULL, doomed INTEGER NOT NULL, secret BLOB NOT NULL,
        doc BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX root_volumes_deployment ON root_volumes(deployment) WHERE NOT doomed;
    """,
    # Golden volumes that were made of images. Which pool they are in stands in their row of volumes.
    """
    CREATE TABLE golden_volumes (
        volume TEXT PRIMARY KEY, image INTEGER NOT NULL, sha256 TEXT NOT NULL, fs_uuid TEXT NOT NULL,
        size INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX golden_volumes_image ON golden_volumes(image, sha256);
    """,
    # Texts of NoCloud seeds, sealed: what users write for cloud-init has passwords in it.
    """
    CREATE TABLE seeds (
        deployment INTEGER NOT NULL REFERENCES deployments(id) ON DELETE CASCADE, part TEXT NOT NULL,
        content BLOB NOT NULL, PRIMARY KEY (deployment, part)
    ) STRICT, WITHOUT ROWID;
    """,
    # ISOs that VMs find in their drives.
    """
    CREATE TABLE isos (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, doc BLOB NOT NULL) STRICT;
    """,
    # Hosts of VMs, what is under way with VMs (one thing with each), and which were started after the computer was.
    # Which VMs there are, and how they are, their hosts say.
    """
    CREATE TABLE hosts (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, address TEXT NOT NULL UNIQUE,
        created REAL NOT NULL
    ) STRICT;
    CREATE TABLE vm_work (
        id INTEGER PRIMARY KEY AUTOINCREMENT, vm TEXT NOT NULL UNIQUE, host INTEGER NOT NULL REFERENCES hosts(id),
        task INTEGER, doc BLOB NOT NULL
    ) STRICT;
    CREATE INDEX vm_work_task ON vm_work(task) WHERE task IS NOT NULL;
    CREATE TABLE vm_starts (vm TEXT PRIMARY KEY, boot TEXT NOT NULL, at REAL NOT NULL) STRICT;
    """,
    # What VMs used: rows of one time beside each other, as they are written and deleted.
    """
    CREATE TABLE vm_statistics (
        step INTEGER NOT NULL, start INTEGER NOT NULL, vm TEXT NOT NULL, points BLOB NOT NULL,
        PRIMARY KEY (step, start, vm)
    ) STRICT, WITHOUT ROWID;
    """,
    # What happened to a VM, which has no row of its own that events could name.
    """
    CREATE INDEX events_vm ON events(json_extract(CAST(doc AS TEXT), '$.detail.vm'), id) WHERE kind GLOB 'vm.*';
    """,
)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to the newest schema, in one transaction; refuses a file from a newer version.

    The disk is waited for once, and where a step fails the file is still one that the older version reads.
    """
    cursor = db.execute("PRAGMA user_version")
    row = cursor.fetchone()
    version = int(row[0]) if row else 0
    if version > len(MIGRATIONS):
        raise ApplianceError(
            "store-newer",
            f"the state was written by a newer version (schema {version}, this program knows {len(MIGRATIONS)})",
            "install that version again, or restore a backup of the state made before it",
        )
    if version < len(MIGRATIONS):
        steps = ";".join(MIGRATIONS[version:])
        db.executescript(f"BEGIN;{steps};PRAGMA user_version={len(MIGRATIONS)};COMMIT;")
