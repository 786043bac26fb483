"""Anything by part of its name, and machines by the codes on their screens, for programs."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.store import finding
from appliance.web.api.body import answer
from appliance.web.api.query import Param, Word, given
from appliance.web.api.shapes import Items
from appliance.web.keys import SERVICES

MOST = 50
"""Results of one kind: whoever wants all of them asks for their list."""

QUERY = (
    Param("q", Annotated[Word, msgspec.Meta(min_length=1)], "a code from a screen, or part of a name", needed=True),
)


class FoundOut(msgspec.Struct):
    """One thing that was found."""

    kind: str
    """``machine``, ``deployment``, ``image``, ``iso``, ``kernel``, ``pool`` or ``volume``; ``sighting``: an interface
    that is no machine's yet."""
    id: str
    """Of a volume the number of its pool and its own id, with a slash between."""
    name: str
    note: str
    """What it waits for, where it was found by the code on its screen; otherwise what tells it from others."""
    todo: str
    """What to do about it, where it was found by the code on its screen."""


async def index(request: web.Request) -> web.Response:
    """What has this code on its screen, or these letters in its name."""
    text = str(given(request, QUERY)["q"]).strip()
    found = await request.app[SERVICES].store.read(lambda db: finding.anything(db, text, MOST))
    return answer(Items([FoundOut(each.kind, each.id, each.name, each.note, each.todo) for each in found]))
