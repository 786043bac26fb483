"""Log-in to the appliance itself by SSH: whose keys are let in, for people and programs.

The privileged helper keeps the keys and starts and stops the SSH server; this asks it, and tells who asked for what.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.accounts import Asker, require_person
from appliance.authorized_keys import PublicKey, parse_all
from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.events import Event
from appliance.privileged.verbs.ssh import Authorize, LetIn, SshStatus, Status, changed_meanwhile
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.web.services import Services

KIND = "appliance.ssh"


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to show."""

    here: bool
    """Whether this computer is a flashed appliance."""
    status: SshStatus | None = None
    trouble: str = ""
    """Why the status is not known."""

    def named(self, fingerprint: str) -> LetIn | None:
        """The key with this fingerprint."""
        keys = self.status.keys if self.status else ()
        return next((key for key in keys if key.fingerprint == fingerprint), None)


async def standing(services: Services) -> Standing:
    """Who is let in, asked each time."""
    if not services.privileged.here:
        return Standing(here=False)
    try:
        status = await services.privileged.call(Status())
    except ApplianceError as error:
        return Standing(True, trouble=error.message)
    return Standing(True, status)


async def authorize(services: Services, lines: Sequence[str], version: str, by: Asker) -> SshStatus:
    """Let in those who have one of these keys, and nobody else; ``version`` is that of what was seen, or empty.

    What was asked for is on disk before anybody is let in: nobody becomes root unnoticed. Raises Denied for a token,
    Invalid as ``authorized_keys.parse_all``, Conflict ``ssh-keys-changed``, ApplianceError ``helper-missing``.
    """
    require_person(by, "let anybody log in to the appliance")
    keys = parse_all(lines, "keys")
    before = await services.privileged.call(Status())
    if version and version != before.version:
        raise changed_meanwhile()
    await _note(services, by, before, keys)
    try:
        after = await services.privileged.call(Authorize(tuple(key.line for key in keys), before.version))
    except ApplianceError:
        # Keys may be in force of which the SSH server was not told.
        await _tell(services, by, before, await services.privileged.call(Status()))
        raise
    await _tell(services, by, before, after)
    return after


async def add(services: Services, lines: Sequence[str], by: Asker) -> SshStatus:
    """Let these in too; raises as ``authorize``, and Conflict ``ssh-key-known``."""
    given = parse_all(lines, "keys")
    present = await services.privileged.call(Status())
    let_in = {key.fingerprint for key in present.keys}
    for key in given:
        if key.fingerprint in let_in:
            raise Conflict("ssh-key-known", f"{key.fingerprint} is let in already", "give another key", "keys")
    wanted = [*(key.line for key in present.keys), *(key.line for key in given)]
    return await authorize(services, wanted, present.version, by)


async def remove(services: Services, fingerprint: str, by: Asker) -> SshStatus:
    """Let this one in no more; raises as ``authorize``, and NotFound ``ssh-key-unknown``."""
    present = await services.privileged.call(Status())
    rest = [key.line for key in present.keys if key.fingerprint != fingerprint]
    if len(rest) == len(present.keys):
        raise NotFound("ssh-key-unknown", "this key is not let in", "look at the list: it may be gone already")
    return await authorize(services, rest, present.version, by)


async def _note(services: Services, by: Asker, before: SshStatus, keys: Sequence[PublicKey]) -> None:
    wanted = {key.fingerprint: _words(key) for key in keys}
    if wanted == _plain(before) and not before.others:
        return
    now, subject = services.clock(), ("appliance", "ssh", "SSH")

    def job(db: sqlite3.Connection, tell: Tell) -> None:
        audit.note(db, by, "ssh.authorize", subject, _plain(before), wanted, now=now)

    await record(services.store, services.bus, job)


async def _tell(services: Services, by: Asker, before: SshStatus, after: SshStatus) -> None:
    if before.version == after.version:
        return
    text = f"{by} changed who may log in to the appliance by SSH"
    event = Event(KIND, services.clock(), text, _difference(before, after))
    await record(services.store, services.bus, lambda _, tell: tell(event))


def _plain(of: SshStatus) -> dict[str, object]:
    """By fingerprint, so that the log has only what differs."""
    return {key.fingerprint: _words(key) for key in of.keys}


def _words(key: LetIn | PublicKey) -> str:
    return " ".join(filter(None, [key.kind, key.comment]))


def _difference(before: SshStatus, after: SshStatus) -> str:
    had, has = set(_plain(before)), set(_plain(after))
    words = [f"let in: {_names(after, has - had)}"] if has - had else []
    words += [f"let in no more: {_names(before, had - has)}"] if had - has else []
    words += ["lines that were written by hand are gone"] if before.others else []
    return "; ".join([*words, *([] if after.on else ["SSH is switched off"])])


def _names(of: SshStatus, wanted: set[str]) -> str:
    return ", ".join(key.comment or key.fingerprint for key in of.keys if key.fingerprint in wanted)
