"""From a message to its answer, now or when an upstream has spoken. Knows no sockets."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from typing import Any, Protocol

from appliance.netboot.dns.answer import Reply, from_zone, without_asking
from appliance.netboot.dns.facts import DnsFact, DnsOverloaded
from appliance.netboot.dns.forwarder import NoAnswerError
from appliance.netboot.dns.message import (
    RA,
    MessageError,
    Query,
    bare_response,
    fitted,
    parse_query,
    rcode_of,
    response,
)
from appliance.netboot.dns.ready import ReadyAnswers
from appliance.netboot.dns.records import Rcode
from appliance.netboot.dns.upstream import Asked, Verified, asked_by, passed_on
from appliance.netboot.dns.zone import Zone
from appliance.netboot.quiet import Quiet

_log = logging.getLogger(__name__)

Deliver = Callable[[bytes | None], None]
"""Takes the answer, once; None: there is none to send."""

Spawn = Callable[[Coroutine[Any, Any, None]], object]

TCP_LIMIT = 65535
_SECONDS_BETWEEN_FACTS = 10.0
OUTCOMES = ("local", "cached", "forwarded", "refused", "failed", "malformed")
"""Answered by us, from the forwarders' earlier answers, by a forwarder; refused; not answered; no question."""


class Resolver(Protocol):
    """Where foreign names are resolved; `forwarder.Forwarder` in the product."""

    def cached(self, asked: Asked) -> Verified | None: ...

    async def resolve(self, asked: Asked) -> Verified: ...


@dataclass(frozen=True)
class DnsLimits:
    """What one client, or many, may take of the server."""

    pending: int = 500
    """Questions upstream at once."""

    waiters: int = 100
    """Clients waiting for the same one of these."""

    connections: int = 200
    """TCP connections at once."""

    connections_per_source: int = 20
    """The same for one address."""

    idle_seconds: float = 10.0
    """How long a TCP client may keep silent, or leave its answers unread."""

    pipeline: int = 50
    """Questions of one TCP connection in work at once (RFC 7766)."""


@dataclass(frozen=True)
class _Waiter:
    query: Query
    limit: int
    deliver: Deliver


class Responder:
    """Answers messages for every listener of a server."""

    def __init__(
        self,
        zone: Zone,
        forwarder: Resolver | None,
        allowed_networks: Sequence[IPv4Network],
        publish: Callable[[DnsFact], None],
        limits: DnsLimits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.spawn: Spawn | None = None
        self._zone = zone
        self._forwarder = forwarder
        self._allowed = tuple(allowed_networks)
        self._publish = publish
        self._limits = limits
        self._clock = clock
        self._ready = ReadyAnswers()
        self._waiting: dict[Asked, list[_Waiter]] = {}
        self._quiet = Quiet(_SECONDS_BETWEEN_FACTS)
        self.counts: Counter[str] = Counter()
        """Messages by what became of them: each is one of ``OUTCOMES``."""

    def handle_datagram(self, data: bytes, source: str, deliver: Deliver) -> None:
        """Answer a message that came by UDP from the address `source`."""
        generation, now = self._zone.generation, self._clock()
        if ready := self._ready.get(data, generation, now):
            self.counts["local"] += 1
            deliver(ready)
            return
        if (query := self._parsed(data, deliver)) is None:
            return
        limit = query.udp_limit
        reply = self._from_zone(query, now)
        if reply is None:
            self._answer_foreign(query, source, limit, deliver)
            return
        self.counts["local"] += 1
        answer = fitted(query, reply.data, limit)
        if now < reply.fresh_until and not (query.edns and query.edns.has_options):
            self._ready.put(data, answer, generation, reply.fresh_until)
        deliver(answer)

    def handle_stream(self, data: bytes, source: str, deliver: Deliver) -> None:
        """Answer a message that came by TCP from the address `source`."""
        if (query := self._parsed(data, deliver)) is None:
            return
        reply = self._from_zone(query, self._clock())
        if reply is None:
            self._answer_foreign(query, source, TCP_LIMIT, deliver)
        else:
            self.counts["local"] += 1
            deliver(reply.data)

    def overloaded(self, reason: str) -> None:
        """Say, not too often, that something was turned away."""
        if count := self._quiet.count(self._clock()):
            self._publish(DnsOverloaded(count, reason))

    def expire(self) -> None:
        """Free what has ended."""
        self._zone.expire(self._clock())

    def _from_zone(self, query: Query, now: float) -> Reply | None:
        try:
            return from_zone(query, self._zone, now, recursion_available=self._forwarder is not None)
        except Exception:  # a record that cannot be written must not end the service for all
            _log.exception("dns: answering for %r failed", query.question.name)
            return Reply(response(query, Rcode.SERVFAIL))

    def _answer_foreign(self, query: Query, source: str, limit: int, deliver: Deliver) -> None:
        recursion = self._forwarder is not None and self._is_allowed(source)
        if reply := without_asking(query, recursion=recursion):
            self.counts["refused" if rcode_of(reply.data) == Rcode.REFUSED else "local"] += 1
            deliver(fitted(query, reply.data, limit))
        elif self._forwarder is not None:
            self._forward(self._forwarder, _Waiter(query, limit, deliver))

    def _forward(self, forwarder: Resolver, waiter: _Waiter) -> None:
        asked = asked_by(waiter.query)
        if known := forwarder.cached(asked):
            self.counts["cached"] += 1
            _settle(waiter, known)
        elif asked in self._waiting:
            self._join(asked, waiter)
        elif len(self._waiting) >= self._limits.pending:
            self.overloaded(f"{self._limits.pending} questions wait for the forwarders")
            self.counts["failed"] += 1
            _settle(waiter, None)
        else:
            assert self.spawn is not None, "messages arrive only while the server runs"
            self._waiting[asked] = [waiter]
            self.spawn(self._resolve(forwarder, asked))

    def _join(self, asked: Asked, waiter: _Waiter) -> None:
        """One question upstream serves all who ask it meanwhile; this also ends a loop to ourselves."""
        waiters = self._waiting[asked]
        if len(waiters) >= self._limits.waiters:
            self.overloaded(f"{self._limits.waiters} clients wait for one name")
            self.counts["failed"] += 1
            waiter.deliver(None)
        else:
            waiters.append(waiter)

    async def _resolve(self, forwarder: Resolver, asked: Asked) -> None:
        answer = None
        try:
            answer = await forwarder.resolve(asked)
        except NoAnswerError:
            _log.info("dns: no forwarder has an answer to %r", asked.name)
        except Exception:  # a fault over one name must not end the service for all
            _log.exception("dns: resolving %r failed", asked.name)
        finally:
            waiters = self._waiting.pop(asked)
            self.counts["failed" if answer is None else "forwarded"] += len(waiters)
            for waiter in waiters:
                _settle(waiter, answer)

    def _parsed(self, data: bytes, deliver: Deliver) -> Query | None:
        """The query in `data`; if there is none, what that deserves is delivered."""
        try:
            return parse_query(data)
        except MessageError as error:
            self.counts["malformed"] += 1
            deliver(None if error.rcode is None else bare_response(data, error.rcode))
            return None

    def _is_allowed(self, source: str) -> bool:
        address = ip_address(source)
        return any(address in network for network in self._allowed)


def _settle(waiter: _Waiter, answer: Verified | None) -> None:
    if answer is None:
        whole = response(waiter.query, Rcode.SERVFAIL, RA)
    else:
        whole = passed_on(waiter.query, answer, asyncio.get_running_loop().time())
    waiter.deliver(fitted(waiter.query, whole, waiter.limit))
