"""From a message to its answer, now or when an upstream has spoken. Knows no sockets."""

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from appliance.netboot.dns.alias import completed, target_to_ask
from appliance.netboot.dns.answer import Reply, from_zone, without_asking
from appliance.netboot.dns.asking import Asking, Resolver, Settle, Spawn
from appliance.netboot.dns.facts import DnsFact, DnsOverloaded
from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.message import (
    RA,
    MessageError,
    Query,
    bare_response,
    fitted,
    parse_query,
    rcode_of,
    response,
    truncated,
)
from appliance.netboot.dns.ready import ReadyAnswers
from appliance.netboot.dns.records import Rcode
from appliance.netboot.dns.strangers import Strangers, Verdict
from appliance.netboot.dns.upstream import Asked, Verified, asked_by, passed_on, same_until
from appliance.netboot.dns.zone import Zone
from appliance.netboot.quiet import Quiet

_log = logging.getLogger(__name__)

Deliver = Callable[[bytes | None], None]
"""Takes the answer, once; None: there is none to send."""

TCP_LIMIT = 65535
_SECONDS_BETWEEN_FACTS = 10.0
OUTCOMES = ("local", "cached", "forwarded", "refused", "failed", "malformed", "limited")
"""Answered by us, from the forwarders' earlier answers, by a forwarder; refused; not answered; no question; too many
of strangers."""


@dataclass(frozen=True)
class _Asked:
    """A query, and how its answer gets back."""

    query: Query
    source: str
    ours: bool
    """Whether the source is in one of our networks, which may ask for foreign names too."""
    limit: int
    deliver: Deliver
    key: bytes = b""
    """The message, where its answer may be kept ready."""


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
        self._zone = zone
        self._publish = publish
        self._clock = clock
        self._strangers = Strangers(allowed_networks)
        self._ready = ReadyAnswers()
        self._ready_foreign = ReadyAnswers()
        self._quiet = Quiet(_SECONDS_BETWEEN_FACTS)
        self.counts: Counter[str] = Counter()
        """Messages by what became of them: each is one of ``OUTCOMES``."""
        self._asking = None if forwarder is None else Asking(forwarder, limits, self.counts, self.overloaded)
        zone.watch(self._ready.forget)

    def begin(self, spawn: Spawn) -> None:
        """What is asked upstream is run by `spawn` from now on."""
        if self._asking is not None:
            self._asking.spawn = spawn

    def is_near(self, source: str) -> bool:
        """Whether the address `source` was seen to be in one of our networks: what is `ready` may go there."""
        return source in self._strangers.known

    def ready(self, data: bytes, now: float) -> bytes | None:
        """The answer to a datagram of somebody near where it is ready at `now` (Unix time).

        None: `handle_datagram` has to look.
        """
        if answer := self._ready.get(data, now):
            self.counts["local"] += 1
        elif self._asking is not None and (answer := self._ready_foreign.get(data, _ticks())):
            self.counts["cached"] += 1
        return answer

    def handle_datagram(self, data: bytes, source: str, deliver: Deliver) -> None:
        """Answer a message that came by UDP from the address `source`."""
        if (query := self._parsed(data, deliver)) is None:
            return
        ours = self._strangers.is_ours(source)
        if not ours and not self._is_admitted(query, source, deliver):
            return
        plain = ours and not (query.edns and query.edns.has_options)
        self._answer(_Asked(query, source, ours, query.udp_limit, deliver, data if plain else b""))

    def handle_stream(self, data: bytes, source: str, deliver: Deliver) -> None:
        """Answer a message that came by TCP from the address `source`."""
        if (query := self._parsed(data, deliver)) is not None:
            self._answer(_Asked(query, source, self._strangers.is_ours(source), TCP_LIMIT, deliver))

    def overloaded(self, reason: str) -> None:
        """Say, not too often, that something was turned away."""
        if count := self._quiet.count(self._clock()):
            self._publish(DnsOverloaded(count, reason))

    def expire(self) -> None:
        """Free what has ended."""
        self._zone.expire(self._clock())

    def _answer(self, asked: _Asked) -> None:
        asking = self._asking if asked.ours else None
        reply = self._from_zone(asked.query)
        if reply is None and (reply := without_asking(asked.query, recursion=asking is not None)) is None:
            assert asking is not None, "else it was refused"
            asking.ask(asked_by(asked.query), asked.source, self._passing_on(asked))
        elif asking is not None and (target := target_to_ask(asked.query, reply)) is not None:
            asking.ask(target, asked.source, _completing(asked, reply, target))
        else:
            self._give(asked, reply)

    def _give(self, asked: _Asked, reply: Reply) -> None:
        refused = rcode_of(reply.data) == Rcode.REFUSED
        self.counts["refused" if refused else "local"] += 1
        answer = fitted(asked.query, reply.data, asked.limit)
        if asked.key and not refused and reply.leads_to is None and self._clock() < reply.fresh_until:
            self._ready.put(asked.key, answer, reply.names, reply.fresh_until)
        asked.deliver(answer)

    def _passing_on(self, asked: _Asked) -> Settle:
        def settle(verified: Verified | None) -> None:
            if verified is None:
                asked.deliver(response(asked.query, Rcode.SERVFAIL, RA))
                return
            now = _ticks()
            answer = fitted(asked.query, passed_on(asked.query, verified, now), asked.limit)
            if asked.key and verified.ttl:
                self._ready_foreign.put(asked.key, answer, (), same_until(verified, now))
            asked.deliver(answer)

        return settle

    def _from_zone(self, query: Query) -> Reply | None:
        try:
            return from_zone(query, self._zone, self._clock(), recursion_available=self._asking is not None)
        except Exception:  # a record that cannot be written must not end the service for all
            _log.exception("dns: answering for %r failed", query.question.name)
            return Reply(response(query, Rcode.SERVFAIL))

    def _is_admitted(self, query: Query, source: str, deliver: Deliver) -> bool:
        """Whether a stranger gets an answer; who does not gets what is their due here."""
        verdict = self._strangers.verdict(source, _ticks())
        if verdict is Verdict.ANSWER:
            return True
        self.counts["limited"] += 1
        self.overloaded(f"{source}, which is in none of our subnets, asks too much")
        deliver(truncated(query) if verdict is Verdict.TRUNCATE else None)
        return False

    def _parsed(self, data: bytes, deliver: Deliver) -> Query | None:
        """The query in `data`; if there is none, what that deserves is delivered."""
        try:
            return parse_query(data)
        except MessageError as error:
            self.counts["malformed"] += 1
            deliver(None if error.rcode is None else bare_response(data, error.rcode))
            return None


def _completing(asked: _Asked, reply: Reply, target: Asked) -> Settle:
    def settle(verified: Verified | None) -> None:
        whole = response(asked.query, Rcode.SERVFAIL, RA)
        if verified is not None:
            with contextlib.suppress(MessageError):  # a record whose names cannot be read
                whole = completed(asked.query, reply, target, verified, _ticks())
        asked.deliver(fitted(asked.query, whole, asked.limit))

    return settle


def _ticks() -> float:
    """Seconds of a clock that does not jump, that of the forwarders."""
    return time.monotonic()
