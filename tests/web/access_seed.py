"""Users, tokens, log-ins and what they did, to look at. What browsers call themselves is hostile."""

import sqlite3
from collections.abc import Callable

from appliance.accounts import Asker, Role
from appliance.reconcile import audit
from appliance.store import accounts, api_tokens, log_ins
from appliance.store.accounts import User
from appliance.store.api_tokens import ApiToken
from appliance.store.log_ins import LogIn, LogInToken
from appliance.store.store import Store

HOSTILE = "<script>document.title='owned'</script>"
DAY = 86400.0
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
ADA = Asker("admin", Role.ADMIN, "192.0.2.7")
PROGRAM = Asker("eva", Role.OPERATOR, "192.0.2.31", "token nightly")


async def seed_access(store: Store, clock: Callable[[], float]) -> None:
    """Into a store that has the user ``admin``."""
    now = clock()

    def job(db: sqlite3.Connection) -> None:
        for name, role, disabled in (("eva", "operator", False), ("noc", "viewer", False), ("old-hand", "admin", True)):
            accounts.add_user(db, User(name, "", role, now - 90 * DAY, disabled))
        accounts.note_log_in(db, "eva", now - 4000)
        for number, (user, name, scope, ends, used) in enumerate(
            (
                ("admin", "monitoring", "viewer", None, now - 30),
                ("admin", "certificates", "admin", now + 300 * DAY, now - 5 * DAY),
                ("eva", "nightly", "operator", now - DAY, now - 2 * DAY),
                ("eva", "laptop", "operator", now + 80 * DAY, None),
            )
        ):
            token = ApiToken(f"t{number}", user, name, f"h{number}", scope, now - 9 * DAY, ends)
            api_tokens.add(db, token)
            if used:
                api_tokens.touch(db, token.id, "192.0.2.31", used)
        for number, (user, address, program) in enumerate(
            (
                ("eva", "192.0.2.31", FIREFOX),
                ("noc", "2001:db8:1:2:3:4:5:6", HOSTILE),
                ("admin", "192.0.2.7", "curl/8.5.0"),
            )
        ):
            begun = now - 3600.0 * (number + 1)
            log_in = LogIn(f"s{number}", user, begun, now - 400 * number, begun + 7 * DAY, address, program)
            log_ins.add(db, log_in, LogInToken(f"x{number}", log_in.id, begun))
        _did(db, now)

    await store.write(job)


def _did(db: sqlite3.Connection, now: float) -> None:
    machine = ("machine", "m0007", "node-19")
    audit.note(db, ADA, "user.log-in", ("user", "admin", "admin"), now=now - 5000)
    audit.note(db, ADA, "user.create", ("user", "eva", "eva"), None, {"role": "viewer"}, now=now - 4000)
    audit.note(db, ADA, "user.change", ("user", "eva", "eva"), {"role": "viewer"}, {"role": "operator"}, now=now - 3900)
    before, after = {"notes": "", "maintenance": True}, {"notes": f"rack 7\n{HOSTILE}", "maintenance": False}
    audit.note(db, PROGRAM, "machine.change", machine, before, after, now=now - 300)
    audit.note_failure(
        db, HOSTILE, "198.51.100.66", "user.log-in", now=now - 60, after={"reason": "name or password is wrong"}
    )
