"""Questions that wait for the forwarders: equal ones asked once, all of them within limits. Knows no sockets."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.netboot.dns.cache import Failures
from appliance.netboot.dns.forwarder import NoAnswerError
from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.upstream import Asked, Verified

_log = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[Any, Any, None]], object]

Settle = Callable[[Verified | None], None]
"""Takes what the forwarders said, once; None: nothing that can be passed on."""


class Resolver(Protocol):
    """Where foreign names are resolved; `forwarder.Forwarder` in the product."""

    def cached(self, asked: Asked) -> Verified | None: ...

    async def resolve(self, asked: Asked) -> Verified: ...


@dataclass(frozen=True)
class _Waiter:
    source: str
    settle: Settle


class Asking:
    """Asks `forwarder`; `counts` hears what became of each, `overloaded` why something was turned away."""

    def __init__(
        self, forwarder: Resolver, limits: DnsLimits, counts: Counter[str], overloaded: Callable[[str], None]
    ) -> None:
        self.spawn: Spawn | None = None
        self._forwarder = forwarder
        self._limits = limits
        self._counts = counts
        self._overloaded = overloaded
        self._waiting: dict[Asked, list[_Waiter]] = {}
        self._by_source: Counter[str] = Counter()
        self._in_all = 0
        self._failures = Failures()

    def ask(self, asked: Asked, source: str, settle: Settle) -> None:
        """Have `settle` called with the answer, at once where it is known."""
        if known := self._forwarder.cached(asked):
            self._counts["cached"] += 1
            settle(known)
        elif self._failures.holds(asked, time.monotonic()):
            self._counts["failed"] += 1
            settle(None)
        elif reason := self._refusal(asked, source):
            self._overloaded(reason)
            self._counts["failed"] += 1
            settle(None)
        else:
            self._wait(asked, _Waiter(source, settle))

    def _refusal(self, asked: Asked, source: str) -> str | None:
        limits = self._limits
        if self._by_source[source] >= limits.waiting_per_source:
            return f"{source} waits for {limits.waiting_per_source} answers already"
        if self._in_all >= limits.waiting:
            return f"{limits.waiting} clients wait for the forwarders"
        if asked in self._waiting:
            full = len(self._waiting[asked]) >= limits.waiters
            return f"{limits.waiters} clients wait for one name" if full else None
        full = len(self._waiting) >= limits.pending
        return f"{limits.pending} questions wait for the forwarders" if full else None

    def _wait(self, asked: Asked, waiter: _Waiter) -> None:
        """One question upstream serves all who ask it meanwhile; this also ends a loop to ourselves."""
        self._by_source[waiter.source] += 1
        self._in_all += 1
        if asked in self._waiting:
            self._waiting[asked].append(waiter)
        else:
            assert self.spawn is not None, "messages arrive only while the server runs"
            self._waiting[asked] = [waiter]
            self.spawn(self._resolve(asked))

    async def _resolve(self, asked: Asked) -> None:
        answer = None
        try:
            answer = await self._forwarder.resolve(asked)
        except NoAnswerError:
            _log.info("dns: no forwarder has an answer to %r", asked.name)
            self._failures.put(asked, time.monotonic())
        except Exception:  # a fault over one name must not end the service for all
            _log.exception("dns: resolving %r failed", asked.name)
        finally:
            self._settle(asked, answer)

    def _settle(self, asked: Asked, answer: Verified | None) -> None:
        waiters = self._waiting.pop(asked)
        self._counts["failed" if answer is None else "forwarded"] += len(waiters)
        self._in_all -= len(waiters)
        for waiter in waiters:
            self._by_source[waiter.source] -= 1
            if not self._by_source[waiter.source]:
                del self._by_source[waiter.source]  # or every address ever seen would stay
            try:
                waiter.settle(answer)
            except Exception:  # what is wrong with one client's answer must not cost the others theirs
                _log.exception("dns: answering %s for %r failed", waiter.source, asked.name)
