"""The audit log for programs."""

from typing import Any

import msgspec
from aiohttp import web

from appliance.store.audit import LISTING, Entry, entry_of
from appliance.store.listing import page as read_page
from appliance.web.api.body import answer
from appliance.web.api.listing import Page, asked, page
from appliance.web.keys import SERVICES


class AuditOut(msgspec.Struct):
    """A change, or a log-in that was made or failed."""

    id: int
    at: float
    who: str
    role: str
    """With which role; empty for somebody who did not get in."""
    via: str
    """``session``, ``token NAME``, ``set-up``, or ``appliance`` for what nobody asked for."""
    address: str
    action: str
    kind: str
    subject: str
    """Id of what was changed."""
    name: str
    """What it was called."""
    outcome: str
    """``done`` or ``failed``."""
    before: dict[str, Any] | None
    """What differs, as it was; null for what was not there."""
    after: dict[str, Any] | None


def _out(entry: Entry) -> AuditOut:
    return AuditOut(
        id=entry.id,
        at=entry.at,
        who=entry.who,
        role=entry.role,
        via=entry.via,
        address=entry.address,
        action=entry.action,
        kind=entry.kind,
        subject=entry.subject,
        name=entry.name,
        outcome=entry.outcome,
        before=dict(entry.before) if entry.before is not None else None,
        after=dict(entry.after) if entry.after is not None else None,
    )


async def index(request: web.Request) -> web.Response:
    """The audit log, newest first."""
    wanted = asked(request, LISTING)
    found = await request.app[SERVICES].store.read(lambda db: read_page(db, LISTING, wanted))
    answered: Page[AuditOut] = page(found, [_out(entry_of(row)) for row in found.rows])
    return answer(answered)
