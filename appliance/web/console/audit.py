"""The audit log as a page: who did what, from where, before and after."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from appliance.errors import Invalid
from appliance.store import audit
from appliance.store.audit import LISTING, Entry, entry_of
from appliance.store.listing import Asked, Found, page
from appliance.web.console.listing import parse_query
from appliance.web.console.page import render
from appliance.web.keys import SERVICES

PATH = "/settings/audit"
PER_PAGE = 100
FILTERS = ("who", "action", "subject", "cursor")
NOUNS = (
    "user",
    "session",
    "token",
    "certificate",
    "machine",
    "deployment",
    "image",
    "iso",
    "kernel",
    "reservation",
    "name",
    "lease",
    "task",
)


async def index(request: web.Request) -> web.Response:
    """GET /settings/audit, filtered by ``who``, ``action`` and ``subject``."""
    query = parse_query(PATH, request.query, (*FILTERS[:3],), ("at",))
    cursor = request.query.get("cursor", "")[:4000]
    wanted = Asked(filters=dict(query.filters), limit=PER_PAGE, cursor=cursor)
    store = request.app[SERVICES].store
    try:
        found = await store.read(lambda db: page(db, LISTING, wanted))
    except Invalid:  # a cursor from before the filter was changed: from the beginning
        cursor, found = "", await store.read(lambda db: page(db, LISTING, Asked(filters=dict(query.filters))))
    return render(
        request,
        "audit.html",
        entries=[entry_of(row) for row in found.rows],
        people=await store.read(audit.actors),
        nouns=NOUNS,
        changes=changes,
        did=did,
        query=query,
        cursor=cursor,
        older=_older(query.link(), found),
        tab="audit",
    )


def _older(address: str, found: Found) -> str:
    if not found.next:
        return ""
    return f"{address}{'&' if '?' in address else '?'}cursor={found.next}"


_VERBS = {
    "log-in": "logged in",
    "log-out": "logged out",
    "create": "created",
    "add": "added",
    "forget": "forgot",
    "end-rescue": "ended the rescue of",
    "change": "changed",
    "delete": "deleted",
    "password": "changed the password of",
    "set": "changed",
    "reset": "reset",
    "end": "ended",
    "start": "started",
    "stop": "stopped",
    "release": "released",
    "redeploy": "re-deployed",
    "retry": "retried",
    "rescue": "rescued",
    "cancel": "cancelled",
    "admit": "let in",
}


def did(entry: Entry) -> str:
    """What was done, in words: ``changed machine``; its name comes after it."""
    noun, _, act = entry.action.partition(".")
    if act in ("log-in", "log-out"):
        return "failed to log in" if entry.outcome == "failed" else _VERBS[act]
    if act == "bulk":
        return "asked for"
    noun = {"session": "a log-in of", "name": "DNS record"}.get(noun, noun)
    return f"{_VERBS.get(act, act.replace('-', ' '))} {noun}"


_OWN = frozenset({"id", "created"})
"""What the store gives by itself: the entry's own time and name say it already."""


def changes(entry: Entry) -> Iterator[tuple[str, str | None, str | None]]:
    """What differs: name, value before, value after; None for a side that is not there."""
    before, after = entry.before or {}, entry.after or {}
    for name in {**before, **after}:
        if name in _OWN:
            continue
        yield name.replace("_", " "), _value(before, name), _value(after, name)


def _value(values: Mapping[str, Any], name: str) -> str | None:
    if name not in values:
        return None
    value = values[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "" or value == []:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
