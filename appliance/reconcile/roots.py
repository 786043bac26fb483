"""Roots that come over the network: which boots get theirs, and what makes an image a deployment's own."""

import secrets
import sqlite3
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from appliance.delivery import on_disk
from appliance.deployment import Deployment
from appliance.errors import Conflict, Denied, Invalid, TooEarly
from appliance.events import Bus, Event
from appliance.machine import Machine
from appliance.netboot.fleet import Redemption
from appliance.reconcile.record import Tell, record
from appliance.reconcile.root_document import LARGEST_LAYER, RootFiles, document
from appliance.reconcile.settle import touched
from appliance.reconcile.trading import Refusal, objection, offered, refuse
from appliance.store import attempts, catalogue, deployments, machines, roots, tokens
from appliance.store.store import Store
from appliance.store.tokens import BootToken
from appliance.workflow import CONFIGURE, Attempt

RootPolicy = Literal["trust", "ask"]
"""Whether machines that restart by themselves get their root at once, or once somebody has let them in."""


@dataclass(frozen=True, slots=True)
class _Waits:
    """A boot that nobody asked for, and that nobody has let in."""

    machine: Machine


class Roots:
    """The part of ``netboot.fleet.Fleet`` that hands out roots."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        server: Callable[[str], str],
        policies: Mapping[str, RootPolicy],
    ) -> None:
        """``server`` gives our plain HTTP base URL by our address; ``policies`` each subnet's by address, as those for
        unknown machines."""
        self._store, self._bus, self._clock = store, bus, clock
        self._server, self._policies = server, policies

    async def root(self, redemption: Redemption, address: str, at: str) -> dict[str, Any]:
        """Trade a boot token for the document of the root; the same trade again gives it again.

        ``address`` is the machine's, ``at`` ours. Raises Denied, and TooEarly ``root-asked`` for a boot that nobody
        asked for, until somebody lets it in.
        """
        given = await record(self._store, self._bus, lambda db, tell: self._trade(db, tell, redemption, address, at))
        if isinstance(given, Refusal):
            raise Denied(given.code, given.message, "restart the machine")
        if isinstance(given, _Waits):
            text = f"{given.machine.name} restarted by itself, and waits to be let in to its root"
            raise TooEarly("root-asked", text, "let it in: on its page in the console, or: qrm machines admit")
        return given

    def _trade(
        self, db: sqlite3.Connection, tell: Tell, redemption: Redemption, address: str, at: str
    ) -> dict[str, Any] | Refusal | _Waits:
        """A refusal of a token that we know is returned: raised, it would take back what is told with it."""
        token = offered(db, redemption, root=True)
        machine = machines.get(db, token.machine)
        taken_by, now = tokens.hash_token(redemption.machine_token), self._clock()
        refused = objection(token, taken_by, now)
        if refused is None and not token.proven:
            refused = Refusal("token-unproven", "it was asked for from an address that is not the machine's")
        if refused is not None:
            refuse(db, tell, machine, token, taken_by, refused, address, now)
            return refused
        deployment = deployments.of_machine(db, machine.id)
        if deployment is None or on_disk(deployment.delivery) or not deployment.current:
            return Refusal("root-none", "there is no root for this machine (any more)")
        if token.redeemed_by is None:
            token = self._admit(db, tell, token, taken_by, machine, deployment, address, at)
        if not token.admitted:
            return _Waits(machine)
        return self.document(db, machine, redemption.mac, deployment, at)

    def _admit(
        self,
        db: sqlite3.Connection,
        tell: Tell,
        token: BootToken,
        taken_by: str,
        machine: Machine,
        deployment: Deployment,
        address: str,
        at: str,
    ) -> BootToken:
        """The first trade of a boot: what it may have is decided once."""
        now, attempt = self._clock(), attempts.live_of(db, machine.id)
        armed = attempt is not None and attempt.armed and attempt.id == token.attempt
        if attempt is not None and armed:
            attempts.put(db, replace(attempt, armed=False, step_seen=now))
        trusted = (self._policies.get(address) or self._policies.get(at, "ask")) == "trust"
        roots.redeem(db, token, taken_by, admitted=armed or trusted)
        machines.put(db, touched(machine, now, address))
        why = (
            "this boot was armed by us" if armed
            else "it restarted by itself, and its subnet trusts such boots" if trusted
            else "it restarted by itself: somebody has to let it in"
        )  # fmt: skip
        admitted = armed or trusted
        kind, what = ("root.given", "its root was given to it") if admitted else ("root.asked", "it asks for its root")
        tell(Event(kind, now, what, why, machine.id, deployment.id))
        return replace(token, redeemed_by=taken_by, admitted=admitted)

    def lacking(self, db: sqlite3.Connection, deployment: Deployment, files: RootFiles) -> Conflict | None:
        """What is missing for a start of its root; None for nothing."""
        if not files.complete:
            hint = "build the maintenance stack anew: image-builder/build stack"
            return Conflict("handover-missing", "the appliance has no hand-over initrd, which mounts roots", hint)
        if roots.layer(db, deployment.id) is None:
            text = f"what makes its image the root of {deployment.name} is not on the appliance"
            return Conflict("layer-missing", text, "re-deploy it")
        return None

    def document(
        self, db: sqlite3.Connection, machine: Machine, mac: str, deployment: Deployment, at: str
    ) -> dict[str, Any]:
        """What a hand-over initrd is told; earlier downloads of this machine's root end."""
        image, layer = catalogue.image(db, deployment.image), roots.layer(db, deployment.id) or b""
        token = secrets.token_hex(32)
        roots.put_download(db, token, machine.id, image.id)
        return document(machine, mac, deployment, image, self._server(at), token, layer)

    async def take_layer(self, token: str, attempt: str, content: str) -> None:
        """Keep what an agent has made of an image, as base64; raises Denied, Conflict ``stale-step``, Invalid."""
        layer = _decoded(content)

        def job(db: sqlite3.Connection) -> None:
            session = tokens.session(db, token)
            if session is None or not session.proven:
                raise Denied("session-unknown", "this session has ended", "restart the machine")
            live = attempts.live_of(db, session.machine)
            if live is None or live.id != attempt or not _makes_root(live):
                raise Conflict("stale-step", "nobody waits for this (any more)")
            assert live.deployment is not None, "only deployments are configured"
            roots.put_layer(db, live.deployment, layer)

        await self._store.write(job)


def _makes_root(attempt: Attempt) -> bool:
    return attempt.step is not None and attempt.step.name == CONFIGURE and attempt.deployment is not None


def _decoded(content: str) -> bytes:
    try:
        layer = b64decode(content, validate=True)
    except (NotBase64, ValueError) as error:
        raise Invalid("layer-invalid", "a layer is base64") from error
    if not 0 < len(layer) <= LARGEST_LAYER:
        raise Invalid("layer-invalid", f"a layer has 1 to {LARGEST_LAYER} bytes")
    return layer
