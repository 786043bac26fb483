"""Requests that may be sent twice: the same key and request gives the stored answer again (Idempotency-Key)."""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from aiohttp import web

from appliance.errors import Conflict, Invalid
from appliance.reconcile.precondition import required
from appliance.store import idempotency
from appliance.store.idempotency import Kept
from appliance.web.api.endpoint import Endpoint, Form
from appliance.web.keys import SERVICES, USER

HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x21-\x7e]{1,200}")
CARRIED_OUT = 0
"""In place of a status: the change is stored, its answer is not. Written in the transaction of the change."""
CHUNK = 1 << 20
"""Bytes of an upload in memory."""
_RUNNING = web.AppKey("idempotency_running", set[tuple[str, str]])


def prepare(app: web.Application) -> None:
    """What is going on now is remembered in memory: after a restart nothing goes on."""
    app[_RUNNING] = set()


async def once(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    """The handler's answer, or the one that it gave to this key before.

    Raises Invalid ``idempotency-key-invalid``, and ``idempotency-reused`` for another request under the same key;
    Conflict ``idempotency-busy`` while the first one goes on, and ``idempotency-lost`` where it was carried out and the
    daemon ended before the answer was kept.
    """
    key = request.headers.get(HEADER)
    if key is None or not endpoint.keyed:
        return await endpoint.handler(request)
    if not KEY.fullmatch(key):
        raise Invalid("idempotency-key-invalid", f"{HEADER} is no key", "use 1 to 200 printable characters", HEADER)
    user, asked = request[USER].name, await _mark(request, endpoint)
    with _alone(request, user, key):
        services = request.app[SERVICES]
        kept = await services.store.read(lambda db: idempotency.find(db, user, key, services.clock()))
        if kept is not None:
            await _heard_out(request, endpoint)
            return _again(kept, asked)
        claimed = Kept(user, key, asked, services.clock(), CARRIED_OUT, {}, b"")

        def claim(db: sqlite3.Connection) -> None:
            idempotency.keep(db, claimed)

        with required(claim):
            response = await endpoint.handler(request)
        if isinstance(response, web.Response) and isinstance(response.body, bytes) and response.status < 300:
            headers = {name: response.headers[name] for name in ("Location",) if name in response.headers}
            new = replace(claimed, at=services.clock(), status=response.status, headers=headers, body=response.body)
            await services.store.write(lambda db: idempotency.keep(db, new))
        return response


@contextmanager
def _alone(request: web.Request, user: str, key: str) -> Iterator[None]:
    running = request.app[_RUNNING]
    if (user, key) in running:
        raise Conflict("idempotency-busy", "a request with this key goes on", "wait for its answer, or send it again")
    running.add((user, key))
    try:
        yield
    finally:
        running.discard((user, key))


def _again(kept: Kept, asked: str) -> web.Response:
    if kept.request != asked:
        hint = "make up another key for another request"
        raise Invalid("idempotency-reused", "this key belongs to another request", hint, HEADER)
    if kept.status == CARRIED_OUT:
        message = "this request was carried out, but the appliance stopped before it had kept the answer"
        hint = "look for what it was to make or begin; to ask for it once more, make up another key"
        raise Conflict("idempotency-lost", message, hint, HEADER)
    headers = {**kept.headers, "Idempotency-Replayed": "true"}
    return web.Response(body=kept.body, status=kept.status, content_type="application/json", headers=headers)


def _is_upload(endpoint: Endpoint) -> bool:
    return endpoint.takes is bytes or isinstance(endpoint.takes, Form)


async def _heard_out(request: web.Request, endpoint: Endpoint) -> None:
    """Clients listen for the answer to an upload once they have sent all of it: let go of it before it is answered."""
    if _is_upload(endpoint):
        async for _ in request.content.iter_chunked(CHUNK):
            continue


async def _mark(request: web.Request, endpoint: Endpoint) -> str:
    """What tells requests apart. Of an upload its length: it is not read twice."""
    body = str(request.content_length).encode() if _is_upload(endpoint) else await request.read()
    parts = (request.method.encode(), request.raw_path.encode(), body)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
