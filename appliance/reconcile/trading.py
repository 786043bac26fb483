"""Boot tokens, as they are traded for a session of the maintenance stack or for a root: who is refused, and how."""

import sqlite3
from dataclasses import dataclass, replace

from appliance.errors import Denied
from appliance.events import Event
from appliance.machine import Machine
from appliance.netboot.fleet import Redemption
from appliance.reconcile.record import Tell
from appliance.reconcile.settle import settle
from appliance.store import attempts, deployments, machines, tokens
from appliance.store.tokens import BootToken, MachineSession
from appliance.workflow import Attempt, failed


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a boot token that we know cannot be traded."""

    code: str
    message: str


def offered(db: sqlite3.Connection, redemption: Redemption, *, root: bool) -> BootToken:
    """The boot token that is offered; raises Denied ``token-unknown`` where it is none of ours, or not for this."""
    token = tokens.find_boot(db, redemption.boot_token)
    if token is None or token.nonce != redemption.nonce or token.root is not root:
        raise Denied("token-unknown", "this boot token is not one of ours", "restart the machine")
    return token


def objection(token: BootToken, taken_by: str, now: float) -> Refusal | None:
    """Why a token is not traded; None where it is, or was by the same one already. Pure.

    ``taken_by`` is the hash of the machine token that was made up for the trade.
    """
    if token.redeemed_by not in (None, taken_by):
        return Refusal("token-used", "this boot token was used before")
    if token.redeemed_by is None and now > token.expires:
        return Refusal("token-expired", "this boot token is older than ten minutes")
    return None


def refuse(
    db: sqlite3.Connection,
    tell: Tell,
    machine: Machine,
    token: BootToken,
    taken_by: str,
    why: Refusal,
    address: str,
    now: float,
) -> None:
    """Store that a trade was refused. Who offers what another has traded may have read it: that is told, and ends both.

    What is stored must not be taken back by an error that is raised for the refusal in the same transaction.
    """
    tokens.spend_boot(db, token)  # nobody can fill a timeline with one token
    if token.proven and token.redeemed_by not in (None, taken_by):
        _quarantine(db, tell, machine, address, now)
    else:
        text = f"a boot token was refused to {address}"
        tell(Event("agent.refused", now, text, why.message, machine.id))


def _quarantine(db: sqlite3.Connection, tell: Tell, machine: Machine, address: str, now: float) -> None:
    tokens.end_sessions(db, machine.id)
    deployment = deployments.of_machine(db, machine.id)
    if deployment is not None and deployment.installed is not None and deployment.installed.disk is None:
        tokens.end_resident(db, deployment.id)  # somebody else may have been given it with the root
    attempt = attempts.live_of(db, machine.id)
    quarantined = replace(machine, maintenance=True)
    reason = f"its boot token was redeemed a second time, from {address}: somebody may have read it on the network"
    if attempt is not None:
        settle(db, tell, quarantined, attempt, failed(attempt, "token-used", reason, now), now)
    else:
        machines.put(db, quarantined)
    text = f"{machine.name} was put into maintenance and its tokens were revoked"
    tell(Event("agent.refused", now, text, reason, machine.id))


def entitled(session: MachineSession, attempt: Attempt) -> bool:
    """Secrets go to a boot that this attempt armed, or to the one under way when the user began the attempt. Pure."""
    return session.attempt == attempt.id or session.created <= attempt.started


def armed_by(token: BootToken, attempt: Attempt | None) -> bool:
    """Whether the boot that was given this token has the rights of the live attempt; the first trade has them. Pure."""
    return attempt is not None and attempt.armed and attempt.id == token.attempt
