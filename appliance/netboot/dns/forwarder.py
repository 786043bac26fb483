"""Asking upstream servers: a new port and id for each question, TCP where needed, the next one on failure."""

import asyncio
import secrets
import struct
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from appliance.errors import Invalid
from appliance.netboot.dns.cache import AnswerCache
from appliance.netboot.dns.facts import DnsFact, DnsUpstreamAnswers, DnsUpstreamFailed
from appliance.netboot.dns.upstream import Asked, Useless, Verified, encode_question, verify

Upstream = tuple[str, int]

_SECONDS_PER_TRY = 2.0
_TRIES = 4
_FORGERIES = 20
"""Datagrams that are no answers before the question is asked over TCP."""
_PENALTY_SECONDS = 30.0
"""How long an upstream that failed is asked last."""


class NoAnswerError(Exception):
    """No upstream gave an answer that can be passed on."""


class Forwarder:
    """Resolves foreign names through `upstreams` ("10.0.0.1", "10.0.0.1:5353", "[2001:db8::1]:53").

    Raises Invalid `dns-upstream` for anything else.
    """

    def __init__(
        self,
        upstreams: Sequence[str],
        publish: Callable[[DnsFact], None],
        cache: AnswerCache | None = None,
        seconds_per_try: float = _SECONDS_PER_TRY,
    ) -> None:
        self._upstreams = [parse_upstream(text) for text in upstreams]
        self._publish = publish
        self._cache = cache or AnswerCache()
        self._seconds_per_try = seconds_per_try
        self._failed: dict[Upstream, float] = {}

    def cached(self, asked: Asked) -> Verified | None:
        """The answer that is known already."""
        return self._cache.get(asked, _now())

    async def resolve(self, asked: Asked) -> Verified:
        """The answer to `asked` from the first upstream that has one. Raises NoAnswerError."""
        for upstream in self._tries():
            reason = "no answer in time"
            try:
                async with asyncio.timeout(self._seconds_per_try):
                    answer = await _ask(upstream, asked)
            except TimeoutError:
                pass
            except (OSError, asyncio.IncompleteReadError) as error:
                reason = str(error) or type(error).__name__
            else:
                if isinstance(answer, Verified):
                    self._mark_good(upstream)
                    self._cache.put(asked, answer)
                    return answer
                continue  # it is alive but will not help with this name: the next may
            self._mark_failed(upstream, reason)
        raise NoAnswerError(asked.name)

    def _tries(self) -> list[Upstream]:
        """Whom to ask in turn: those that work first, everybody twice, within a limit."""
        now = _now()
        order = sorted(self._upstreams, key=lambda upstream: self._failed.get(upstream, 0) > now)
        return [*order, *order][: max(_TRIES, len(order))]

    def _mark_good(self, upstream: Upstream) -> None:
        if self._failed.pop(upstream, None) is not None:
            self._publish(DnsUpstreamAnswers(_shown(upstream)))

    def _mark_failed(self, upstream: Upstream, reason: str) -> None:
        if upstream not in self._failed:
            self._publish(DnsUpstreamFailed(_shown(upstream), reason))
        self._failed[upstream] = _now() + _PENALTY_SECONDS


def parse_upstream(text: str) -> Upstream:
    """Address and port of a configured upstream. Raises Invalid `dns-upstream`."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        address = ip_address(host)
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError(port)
    except ValueError:
        raise Invalid(
            "dns-upstream",
            f"the DNS forwarder {text!r} is not an address with an optional port",
            'Write it as "10.0.0.1", "10.0.0.1:53" or "[2001:db8::1]:53".',
        ) from None
    return str(address), int(port)


async def _ask(upstream: Upstream, asked: Asked) -> Verified | Useless:
    answer = await _ask_either(upstream, asked, edns=True)
    return await _ask_either(upstream, asked, edns=False) if answer is Useless.PLAIN_ONLY else answer


async def _ask_either(upstream: Upstream, asked: Asked, *, edns: bool) -> Verified | Useless:
    answer = await _ask_udp(upstream, asked, edns=edns)
    return await _ask_tcp(upstream, asked, edns=edns) if answer is Useless.TRUNCATED else answer


async def _ask_udp(upstream: Upstream, asked: Asked, *, edns: bool) -> Verified | Useless:
    loop = asyncio.get_running_loop()
    # A socket per question: the kernel picks a random port (RFC 5452 section 9.2), and, being
    # connected, takes datagrams of this upstream only.
    transport, exchange = await loop.create_datagram_endpoint(lambda: _Exchange(asked, edns=edns), remote_addr=upstream)
    try:
        return await exchange.answer
    finally:
        transport.close()


async def _ask_tcp(upstream: Upstream, asked: Asked, *, edns: bool) -> Verified | Useless:
    ident = _fresh_id()
    reader, writer = await asyncio.open_connection(*upstream)
    try:
        question = encode_question(asked, ident, edns=edns)
        writer.write(struct.pack("!H", len(question)) + question)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        return verify(await reader.readexactly(length), asked, ident, _now())
    finally:
        writer.close()


class _Exchange(asyncio.DatagramProtocol):
    """One question sent, and the first datagram that really answers it."""

    def __init__(self, asked: Asked, *, edns: bool) -> None:
        self._asked = asked
        self._edns = edns
        self._id = _fresh_id()
        self._forged = 0
        self.answer: asyncio.Future[Verified | Useless] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        transport.sendto(encode_question(self._asked, self._id, edns=self._edns))

    def datagram_received(self, data: bytes, addr: Upstream) -> None:
        if self.answer.done():
            return
        answer = verify(data, self._asked, self._id, _now())
        if answer is Useless.FOREIGN:
            # A forger's try: the true answer may still come. Who found the port may try every id on it, though,
            # and cannot do that over TCP.
            self._forged += 1
            answer = Useless.TRUNCATED if self._forged >= _FORGERIES else answer
        if answer is not Useless.FOREIGN:
            self.answer.set_result(answer)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


def _fresh_id() -> int:
    return secrets.randbelow(0x10000)


def _now() -> float:
    return time.monotonic()


def _shown(upstream: Upstream) -> str:
    host, port = upstream
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
