"""The console's certificate: another one is put in, or our own comes back, while everything goes on."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from appliance.accounts import Asker
from appliance.chains import Chain, read_chain, warnings
from appliance.console_tls import ConsoleTls
from appliance.errors import Conflict, NotFound
from appliance.events import Bus, Event
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offered:
    """A certificate that could be used, and what somebody should know before it is."""

    chain: Chain
    warnings: Sequence[str]


class ConsoleCertificate:
    """Every method that changes something takes ``by``, who asked."""

    def __init__(
        self, store: Store, bus: Bus, clock: Callable[[], float], tls: ConsoleTls | None, hosts: Sequence[str]
    ) -> None:
        """``hosts`` are names that the console is reached by, besides those in our own certificate."""
        self._store, self._bus, self._clock, self._tls, self._hosts = store, bus, clock, tls, hosts
        self._changing = asyncio.Lock()

    @property
    def tls(self) -> ConsoleTls:
        """What serves; raises NotFound where somebody else ends TLS."""
        if self._tls is None:
            raise NotFound("certificate-elsewhere", "this console's certificate is not kept here", "ask who runs it")
        return self._tls

    def notice(self) -> str:
        """What everybody should know of the certificate; empty: nothing."""
        return self._tls.notice() if self._tls is not None else ""

    async def offered(self, certificate_pem: str, key_pem: str, host: str) -> Offered:
        """Check what is offered, and change nothing; ``host`` is how who asks reaches the console. Raises Invalid."""
        now = self._clock()
        pem, key = (text.encode(errors="replace") for text in (certificate_pem, key_pem))
        chain = await asyncio.to_thread(read_chain, pem, key, now)
        reached_by = [*dict.fromkeys([host, *self._hosts, *self.tls.own_names])]
        return Offered(chain, warnings(chain, reached_by, now))

    async def put(self, certificate_pem: str, key_pem: str, host: str, by: Asker, *, confirmed: bool) -> Offered:
        """Use another certificate for all connections from now on.

        Raises Invalid for one that cannot be used, and Conflict ``certificate-doubtful`` for one that should not be,
        unless it is ``confirmed``.
        """
        offered = await self.offered(certificate_pem, key_pem, host)
        if offered.warnings and not confirmed:
            message = f"This certificate can be used, but {'; '.join(offered.warnings)}"
            raise Conflict("certificate-doubtful", message, "confirm that you want it", "confirm")

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            before = self._described()
            self.tls.use(offered.chain)
            self._noted(db, tell, by, "certificate.set", before, "put another certificate in for the console")

        async with self._changing:
            await record(self._store, self._bus, job)
        return offered

    async def reset(self, by: Asker) -> None:
        """Go back to our own certificate for all connections from now on."""

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            before = self._described()
            self.tls.forget()
            self._noted(db, tell, by, "certificate.reset", before, "went back to the appliance's own certificate")

        async with self._changing:
            await record(self._store, self._bus, job)

    def _noted(
        self, db: sqlite3.Connection, tell: Tell, by: Asker, action: str, before: dict[str, object], text: str
    ) -> None:
        now = self._clock()
        audit.note(db, by, action, ("certificate", "console", "console"), before, self._described(), now=now)
        tell(Event("certificate.changed", now, f"{by} {text}"))

    def _described(self) -> dict[str, object]:
        chain = self.tls.chain
        if chain is None:
            return {"own": True}
        return {"own": False, "names": chain.names, "fingerprint": chain.fingerprint, "ends": chain.ends}

    async def watch(self) -> None:
        """See to it that nobody is locked out when the certificate ends; runs until cancelled."""

        async def told(text: str, hint: str) -> None:
            with Surviving(log, "trouble with the console's certificate is in no timeline"):
                event = Event("daemon.trouble", self._clock(), text, hint)
                await record(self._store, self._bus, lambda _, tell: tell(event))

        await self.tls.watch(told)


CERTIFICATE = web.AppKey("certificate", ConsoleCertificate)
"""``request.app[CERTIFICATE]``."""
