"""Tickets for the consoles of VMs: each lets one user open one console of one VM, once, within seconds.

A WebSocket of a browser carries no header of ours, and its address may be written down somewhere: so the ticket comes
as one of the protocols that it offers (RFC 6455 section 11.3.4). It does not take the place of the log-in.
"""

import secrets
from dataclasses import dataclass

from appliance.errors import Denied
from appliance.hypervisor.consoles import ConsoleKind
from appliance.store.tokens import hash_token
from appliance.vm import VmId
from appliance.web.auth import Proof

SECONDS = 20.0
"""For which a ticket is good."""
MOST = 500
"""Tickets at the same time; whoever asks for more makes the oldest one worthless."""
PROTOCOL = "console.qrm"
"""What a WebSocket of a console speaks, and what it is answered."""
PREFIX = "ticket."
"""Begins the protocol that is the ticket."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket is for."""

    vm: VmId
    kind: ConsoleKind
    holder: tuple[str, str, str]
    """User, log-in and API token: of these three, who asked for it."""
    until: float


class Tickets:
    """Those that were not used yet. Only their hashes are kept."""

    def __init__(self) -> None:
        self._open: dict[str, Ticket] = {}

    def make(self, vm: VmId, kind: ConsoleKind, proof: Proof, now: float) -> str:
        """A ticket; 256 random bits in hexadecimal."""
        for key in [key for key, each in self._open.items() if each.until <= now]:
            del self._open[key]
        while len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        text = secrets.token_hex(32)
        self._open[hash_token(text)] = Ticket(vm, kind, holder(proof), now + SECONDS)
        return text

    def use(self, text: str, vm: str, kind: str, proof: Proof, now: float) -> Ticket:
        """It is worthless from here on, whatever comes of it; raises Denied ``ticket-refused``."""
        ticket = self._open.pop(hash_token(text), None) if text else None
        if ticket is None or now >= ticket.until:
            raise _refused("it was used already, is too old, or was never given")
        if (ticket.vm, ticket.kind, ticket.holder) != (vm, kind, holder(proof)):
            raise _refused("it is another user's, or for another console")
        return ticket


def holder(proof: Proof) -> tuple[str, str, str]:
    """Whose a ticket is."""
    return proof.asker.name, proof.log_in, proof.api_token


def ticket_in(protocols: str) -> str:
    """The ticket in a Sec-WebSocket-Protocol header; empty where there is none."""
    offered = (each.strip() for each in protocols.split(","))
    return next((each.removeprefix(PREFIX) for each in offered if each.startswith(PREFIX)), "")


def _refused(why: str) -> Denied:
    return Denied("ticket-refused", f"the ticket for this console is no good: {why}", "ask for another one")
