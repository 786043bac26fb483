"""What all endpoints of the API have in common, put around each handler: query, ETags, If-Match, what is accepted."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps

from aiohttp import web

from appliance.errors import Conflict, Invalid
from appliance.reconcile.precondition import required
from appliance.web.api.body import key
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.idempotency import once
from appliance.web.api.query import given
from appliance.web.api.versions import Version, mark
from appliance.web.doors import Handler
from appliance.web.keys import SERVICES

_TAG = re.compile(r'(?:W/)?"([!#-~\x80-\xff]*)"')


def checked(endpoint: Endpoint) -> Handler:
    """The endpoint's handler behind everything that all endpoints promise."""

    @wraps(endpoint.handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        _check_accepted(request)
        given(request, endpoint.query)
        # What is changed while it is read is newer than its tag says: better refused for nothing than overwritten.
        seen = await _seen(request, endpoint)
        with _as_expected(request, endpoint.version):
            response = await once(request, endpoint)
        if seen and response.status == 200:
            _set_tag(response, seen)
        elif endpoint.version and response.status == 200:
            await _tag(request, response, endpoint.version)
        elif endpoint.method == "GET" and response.status == 200:
            _set_tag(response, "")
        return _unless_known(request, response)

    return answer


async def _seen(request: web.Request, endpoint: Endpoint) -> str:
    """The version of the one thing that is about to be shown; empty where nothing is."""
    version = endpoint.version
    if version is None or endpoint.method != "GET":
        return ""
    return mark(await request.app[SERVICES].store.read(lambda db: version(db, key(request))))


def _check_accepted(request: web.Request) -> None:
    """Raise Invalid where the client takes no JSON (RFC 9110 section 12.5.1)."""
    accepted = request.headers.get("Accept", "*/*")
    kinds = {part.partition(";")[0].strip().lower() for part in accepted.split(",")}
    if not kinds & {"*/*", "application/*", "application/json", "application/problem+json", "text/html", ""}:
        raise Invalid("not-acceptable", f"the API answers in JSON, not {accepted[:80]!r}", "Accept: application/json")


@contextmanager
def _as_expected(request: web.Request, version: Version | None) -> Iterator[None]:
    """Have the change refused in its own transaction, where If-Match names another state (RFC 9110 section 13.1.1)."""
    wanted = request.headers.get("If-Match", "*").strip()
    if version is None or wanted == "*" or request.method in ("GET", "HEAD"):
        yield
        return
    which, marks = key(request), {tag.partition("-")[0] for tag in _TAG.findall(wanted)}

    def check(db: sqlite3.Connection) -> None:
        if mark(version(db, which)) not in marks:
            raise Conflict("changed-meanwhile", f"{which} was changed by somebody else", "load it anew, and look again")

    with required(check):
        yield


async def _tag(request: web.Request, response: web.StreamResponse, version: Version) -> None:
    """The ETag of one thing: what users can change of it, and, for caches, all that is shown."""
    which = _shown_id(request, response)
    _set_tag(response, mark(await request.app[SERVICES].store.read(lambda db: version(db, which))))


def _shown_id(request: web.Request, response: web.StreamResponse) -> str:
    """The id of what is shown: a change may have renamed it."""
    body = response.body if isinstance(response, web.Response) else None
    found = re.match(rb'\{"id":"?([^",]+)', body) if isinstance(body, bytes) else None
    return found[1].decode() if found else key(request)


def _set_tag(response: web.StreamResponse, version: str) -> None:
    if isinstance(response, web.Response) and isinstance(response.body, bytes):
        response.headers["ETag"] = f'"{version}-{mark(response.body)}"'


def _unless_known(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """304 where the client has it already (RFC 9110 section 13.1.2)."""
    tag = response.headers.get("ETag")
    if request.method not in ("GET", "HEAD") or tag is None:
        return response
    known = request.headers.get("If-None-Match", "")
    if known.strip() == "*" or tag.strip('"') in _TAG.findall(known):
        return web.Response(status=304, headers={"ETag": tag})
    return response
