"""What a seed leaves for the daemon: what belongs into the store, which only the daemon writes.

Root writes the file before the daemon starts; the daemon takes it up and removes it.
"""

import logging
import os
import sqlite3
from pathlib import Path

import msgspec

from appliance.accounts import APPLIANCE
from appliance.events import Bus, Event
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.setup import stored
from appliance.setup.configuration import rules
from appliance.setup.draft import Progress
from appliance.setup.summary import summary
from appliance.setup.value import Account, SetUp
from appliance.state import write_whole
from appliance.store import accounts, subnet_rules
from appliance.store.accounts import User
from appliance.store.documents import dump, load
from appliance.store.store import Store

FILE = "seed.json"
"""In the daemon's state directory."""
log = logging.getLogger(__name__)


def leave(set_up: SetUp, state_dir: Path, owner: tuple[int, int]) -> None:
    """Write it for the daemon; ``owner`` is its user and group. Raises ApplianceError ``state-unwritable``."""
    if not state_dir.exists():
        state_dir.mkdir(mode=0o700, parents=True)
        os.chown(state_dir, *owner)
    path = state_dir / FILE
    write_whole(path, dump(set_up))
    os.chown(path, *owner)


async def take_up(store: Store, bus: Bus, state_dir: Path, now: float) -> bool:
    """Bring what was left into the store, and remove the file: whether there was one.

    One that cannot be read is left where it is, and told of in the log: it keeps the daemon from nothing.
    """
    path = state_dir / FILE
    try:
        left = load(path.read_bytes(), SetUp)
    except FileNotFoundError:
        return False
    except (OSError, msgspec.DecodeError) as error:
        log.warning("what a seed left in %s cannot be read: %s", path, error)
        return False

    def job(db: sqlite3.Connection, tell: Tell) -> None:
        account = left.account
        if account.password_hash and not accounts.users(db):
            accounts.add_user(db, User(account.name, account.password_hash, "admin", now))
            after = {"role": "admin"}
            audit.note(db, APPLIANCE, "user.create", ("user", account.name, account.name), None, after, now=now)
        _note_keys(db, tell, account, now)
        for interface, chosen in rules(left).items():
            subnet_rules.choose(db, interface, chosen)
        stored.put_progress(db, Progress("done", account.name, message="The appliance is set up"))
        tell(Event("setup.done", now, f"a seed file set the appliance up: {summary(left)}"))

    await record(store, bus, job)
    path.unlink(missing_ok=True)
    return True


def _note_keys(db: sqlite3.Connection, tell: Tell, account: Account, now: float) -> None:
    """That a seed has let somebody in by SSH; it was carried out by who wrote the file."""
    from appliance.authorized_keys import parse_all

    keys = parse_all(account.ssh_keys, "ssh_keys")
    if keys:
        after = {key.fingerprint: " ".join(filter(None, [key.kind, key.comment])) for key in keys}
        audit.note(db, APPLIANCE, "ssh.authorize", ("appliance", "ssh", "SSH"), {}, after, now=now)
        names = ", ".join(key.comment or key.fingerprint for key in keys)
        tell(Event("appliance.ssh", now, "a seed file lets people log in to the appliance by SSH", f"let in: {names}"))
