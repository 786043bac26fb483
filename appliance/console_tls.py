"""TLS of the console: our own certificate, or one that was uploaded for as long as that can be used.

Nobody is locked out by a certificate: what cannot be used gives way to our own, and ``qrm`` asks for our own by name
where it has pinned our authority.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from appliance import OWN_CERTIFICATE
from appliance.chains import WARN_SECONDS, Chain, day, read_chain
from appliance.errors import ApplianceError, Invalid
from appliance.server_tls import ServerTls
from appliance.state import write_whole, writing

FILE = "console-certificate.pem"
"""In the state directory: key and chain, for us only."""
CHECK_SECONDS = 60.0

log = logging.getLogger(__name__)

Tell = Callable[[str, str], Awaitable[None]]
"""Tells of trouble: what happened, and what to do."""


class ConsoleTls:
    """Chooses the certificate for each new connection; those that are open keep theirs."""

    def __init__(self, own: ServerTls, directory: Path, names: Sequence[str], clock: Callable[[], float]) -> None:
        """``names`` are those that our own certificate is for."""
        self._own, self._path, self._clock = own, directory / FILE, clock
        self._fixed = self.own_names = tuple(names)
        self.chain: Chain | None = None
        """What was uploaded and is in use."""
        self.trouble = ""
        """Why what was uploaded is not in use; empty: it is, or there is none."""
        self._chosen: ssl.SSLContext | None = None
        self._told = ""
        own.context.sni_callback = self._choose
        self._load()

    @property
    def context(self) -> ssl.SSLContext:
        """What to listen with."""
        return self._own.context

    @property
    def names(self) -> tuple[str, ...]:
        """All names and addresses in the certificates that are in use."""
        return self.own_names + (self.chain.names if self.chain else ())

    def follow(self, addresses: Sequence[str]) -> None:
        """Have our own certificate for the names of the start and for these addresses, at once."""
        self.own_names = tuple(dict.fromkeys([*self._fixed, *addresses]))
        self._own.rename(self.own_names, self._clock())

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        if self._chosen is not None and name != OWN_CERTIFICATE:
            connection.context = self._chosen

    def _load(self) -> None:
        """Use what is stored; what cannot be used is said, and our own takes its place."""
        try:
            content = self._path.read_bytes()
            chain = read_chain(content, b"", self._clock())
            self.chain, self._chosen, self.trouble = chain, _context(chain), ""
        except FileNotFoundError:
            self.chain, self._chosen, self.trouble = None, None, ""
        except (OSError, ApplianceError) as error:
            reason = error.message if isinstance(error, ApplianceError) else str(error.strerror)
            self.chain, self._chosen = None, None
            self.trouble = f"the certificate that was uploaded for the console cannot be used: {reason}"
            log.warning("%s", self.trouble)

    def use(self, chain: Chain) -> None:
        """Store a chain and use it for new connections; raises Invalid, or ApplianceError ``state-unwritable``.

        Waits for the disk: call it in the transaction that records it, which runs beside the event loop.
        """
        context = _context(chain)
        write_whole(self._path, chain.pem)
        self.chain, self._chosen, self.trouble = chain, context, ""

    def forget(self) -> None:
        """Go back to our own; raises ApplianceError ``state-unwritable``. Waits for the disk, as ``use`` does."""
        with writing(self._path):
            self._path.unlink(missing_ok=True)
        self.chain, self._chosen, self.trouble = None, None, ""

    def notice(self) -> str:
        """What everybody who looks at the console should know, in words; empty: nothing."""
        if self.trouble:
            return f"{self.trouble}. The appliance's own is used instead."
        if self.chain is not None and self.chain.ends - self._clock() < WARN_SECONDS:
            return f"The console's certificate ends on {day(self.chain.ends)}. Upload a new one before that day."
        return ""

    async def watch(self, tell: Tell) -> None:
        """Give way to our own when the end of what was uploaded comes, and tell of trouble once; runs for good."""
        while True:
            await self.check(tell)
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self, tell: Tell) -> None:
        """One look; raises what ``tell`` raises."""
        now = self._clock()
        if self.trouble or (self.chain is not None and not self.chain.begins <= now < self.chain.ends):
            self._load()  # a clock that was wrong at the start may be right by now
        notice = self.notice()
        if notice and notice != self._told:
            await tell(notice, "upload another certificate, or go back to the appliance's own: qrm certificate reset")
        self._told = notice


def _context(chain: Chain) -> ssl.SSLContext:
    """A context with nothing but this chain; raises Invalid where the TLS library does not take it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with open(os.memfd_create("certificate"), "wb") as file:  # OpenSSL reads a file only
        file.write(chain.pem)
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        except ssl.SSLError as error:
            message = f"the TLS library does not take it: {error.reason or error}"
            raise Invalid("certificate-unusable", message, "have it made anew", "certificate_pem") from error
    return context
