"""The audit log: who changed what, from where, what was before and after. Written with the change or not at all.

``await audit.note(db, by, "machine.change", ("machine", machine.id, machine.name), before, after, now=now)`` stands
in the job that makes the change. ``before`` and ``after`` are dataclasses or mappings of the whole thing: only what
differs is kept. One of them is None for something that is made or deleted.
"""

import sqlite3
from typing import Any

import msgspec

from appliance.accounts import Asker
from appliance.store import audit
from appliance.store.audit import Entry

LONGEST_TEXT = 1000
"""Characters of one value that are kept."""
MOST_ITEMS = 50
"""Entries of one list or object that are kept."""
DEEPEST = 4
"""Levels of a document that are kept."""
SECRET = frozenset({"password", "token", "hash", "key_pem", "secret", "passphrase", "chap_secret"})
"""Names of values that never come into the log."""
BULKY = frozenset({"inventory"})
"""Names of values that machines make up, not users."""

Subject = tuple[str, str | int, str]
"""Kind, id and name of what is changed."""


def note(
    db: sqlite3.Connection,
    by: Asker,
    action: str,
    subject: Subject,
    before: object = None,
    after: object = None,
    *,
    now: float,
) -> Entry:
    """Write down a change, in the transaction that makes it. ``now`` is a Unix time."""
    was, became = differing(before, after)
    kind, number, name = subject
    entry = Entry(
        at=now,
        who=_text(by.name)[:80],
        role=str(by.role),
        via=_text(by.via)[:80],
        address=by.address,
        action=action,
        kind=kind,
        subject=_text(str(number))[:200],
        name=_text(name)[:200],
        before=was,
        after=became,
    )
    return audit.add(db, entry)


def note_failure(
    db: sqlite3.Connection, who: str, address: str, action: str, *, now: float, after: object = None
) -> Entry:
    """Write down that somebody did not get in; ``who`` is what they called themselves."""
    name = _text(who)[:80]
    became = differing(None, after)[1]
    return audit.add(
        db, Entry(now, name, "", "session", address, action, "user", name, name, outcome="failed", after=became)
    )


def differing(before: object, after: object) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Of two documents what differs, without secrets, bounded; None stays None."""
    was, became = _document(before), _document(after)
    if was is None or became is None:
        return _shown(was), _shown(became)
    names = [name for name in {**was, **became} if was.get(name) != became.get(name)]
    return _shown({name: was[name] for name in names if name in was}), _shown(
        {name: became[name] for name in names if name in became}
    )


def _document(value: object) -> dict[str, Any] | None:
    if value is None:
        return None
    document: dict[str, Any] = msgspec.to_builtins(value, enc_hook=_plain, str_keys=True)
    return {name: each for name, each in document.items() if name not in BULKY}


def _plain(value: object) -> str:
    """Addresses, paths and the like."""
    return str(value)[:LONGEST_TEXT]


def _shown(document: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if document is None else _bounded(document, DEEPEST)


def _bounded(value: Any, levels: int) -> Any:
    """The value without secrets; what is too long or too deep ends in an ellipsis."""
    if isinstance(value, str):
        return _text(value) if len(value) <= LONGEST_TEXT else f"{_text(value[:LONGEST_TEXT])}…"
    if isinstance(value, dict | list) and value and not levels:
        return "…"
    if isinstance(value, dict):
        return {_text(name)[:80]: _hidden(name, each, levels) for name, each in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, list):
        return [_bounded(each, levels - 1) for each in value[:MOST_ITEMS]]
    return value


def _hidden(name: str, value: Any, levels: int) -> Any:
    if name in SECRET:
        return "(a secret)" if value else value
    return _bounded(value, levels - 1)


def _text(value: str) -> str:
    """Text that is Unicode: a header or a path may decode to what is none, which no database takes."""
    return value.encode(errors="replace").decode()
