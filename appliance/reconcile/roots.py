"""Roots that come over the network: which boots get theirs, and what makes an image a deployment's own."""

import secrets
import sqlite3
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from appliance.catalogue import Image
from appliance.delivery import in_memory, on_disk, on_volume
from appliance.deployment import Deployment
from appliance.errors import ApplianceError, Conflict, Denied, Invalid, TooEarly
from appliance.events import Bus, Event
from appliance.machine import Machine, State
from appliance.netboot.fleet import Redemption
from appliance.reconcile import root_document, root_kernels
from appliance.reconcile.params import APPEND, boot_mac
from appliance.reconcile.presence import SEEN_SECONDS
from appliance.reconcile.record import Tell, record
from appliance.reconcile.root_document import LARGEST_LAYER, RootFiles, by_kexec
from appliance.reconcile.root_kernels import KernelFile, files_with, kernel_of
from appliance.reconcile.root_volumes.sealed import opened
from appliance.reconcile.settle import touched
from appliance.reconcile.trading import Refusal, armed_by, entitled, objection, offered, refuse
from appliance.store import attempts, catalogue, deployments, machines, root_volumes, roots, tokens
from appliance.store.sealing import Sealer
from appliance.store.store import Store
from appliance.store.tokens import BootToken
from appliance.workflow import CONFIGURE, REPORT_ACTIVE, Attempt, DeploymentId, labelling, seen

RootPolicy = Literal["trust", "ask"]
"""Whether machines that restart by themselves get their root at once, or once somebody has let them in."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where what roots are made of is found."""

    server: Callable[[str], str]
    """Our plain HTTP base URL, by our address."""
    image_path: Callable[[int], Path]
    policies: Mapping[str, RootPolicy]
    """Of subnets, by the addresses that their machines ask, or by theirs."""
    files: RootFiles
    """With the appliance's own kernel."""
    kernel_file: KernelFile


@dataclass(frozen=True, slots=True)
class Right:
    """Whether a boot is given its root at once, and why."""

    given: bool
    why: str


class Roots:
    """The part of ``netboot.fleet.Fleet`` that hands out roots."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], sources: Sources, sealer: Sealer) -> None:
        """Layers are sealed: host keys and tokens are in them, and backups are read by others than the store is."""
        self._store, self._bus, self._clock = store, bus, clock
        self._sources, self._sealer = sources, sealer

    async def root(self, redemption: Redemption, address: str, at: str) -> dict[str, Any]:
        """Trade a boot token for the document of the root; the same trade again gives it again.

        ``address`` is the machine's, ``at`` ours. Raises Denied, TooEarly ``root-asked`` for a boot that nobody asked
        for, until somebody lets it in, and Conflict where something of the root is missing here.
        """
        given = await record(self._store, self._bus, lambda db, tell: self._trade(db, tell, redemption, address, at))
        if isinstance(given, Refusal):
            raise Denied(given.code, given.message, "restart the machine")
        if isinstance(given, ApplianceError):
            raise given
        return given

    def _trade(
        self, db: sqlite3.Connection, tell: Tell, redemption: Redemption, address: str, at: str
    ) -> dict[str, Any] | Refusal | ApplianceError:
        """What is refused is returned: raised, it would take back what is told with it."""
        token = offered(db, redemption, root=True)
        machine = machines.get(db, token.machine)
        taken_by, now = tokens.hash_token(redemption.machine_token), self._clock()
        refused = objection(token, taken_by, now)
        if refused is None and not token.proven:
            refused = Refusal("token-unproven", "it was asked for from an address that is not the machine's")
        if refused is not None:
            refuse(db, tell, machine, token, taken_by, refused, address, now)
            return refused
        deployment, attempt = deployments.of_machine(db, machine.id), attempts.live_of(db, machine.id)
        if deployment is None or not is_to_run(machine, deployment, attempt):
            return Refusal("root-none", "there is no root for this machine now")
        machine = self._noticed(db, machine, attempt, address, now)
        if token.redeemed_by is None:
            right = self._right(token, machine, attempt, address, at)
            token = self._first(db, tell, replace(token, redeemed_by=taken_by, admitted=right.given), deployment, right)
        if not token.admitted:
            text = f"{machine.name} restarted by itself, and waits to be let in to its root"
            return TooEarly("root-asked", text, "let it in: on its page in the console, or: qrm machines admit")
        return self.lacking(db, deployment) or self.document(db, machine, redemption.mac, deployment, at)

    def _noticed(
        self, db: sqlite3.Connection, machine: Machine, attempt: Attempt | None, address: str, now: float
    ) -> Machine:
        """The machine, heard of now; a boot that waits asks twice a minute, and only some of that is stored."""
        if now - (machine.last_seen or 0.0) <= SEEN_SECONDS:
            return machine
        if attempt is not None:
            attempts.put(db, seen(attempt, now))
        machine = touched(machine, now, address)
        machines.put(db, machine)
        return machine

    def _right(self, token: BootToken, machine: Machine, attempt: Attempt | None, address: str, at: str) -> Right:
        if armed_by(token, attempt):
            return Right(True, "this boot was armed by us")
        policies = self._sources.policies
        trusts = (policies.get(address) or policies.get(at, "ask")) == "trust"
        if trusts and not machine.maintenance:
            return Right(True, "it restarted by itself, and its subnet trusts such boots")
        return Right(False, "it restarted by itself: somebody has to let it in")

    def _first(
        self, db: sqlite3.Connection, tell: Tell, token: BootToken, deployment: Deployment, right: Right
    ) -> BootToken:
        """The first trade of a boot: what it may have is decided once."""
        now, attempt = self._clock(), attempts.live_of(db, token.machine)
        if attempt is not None and armed_by(token, attempt):
            attempts.put(db, replace(labelling(attempt), step_seen=now))
        roots.redeem(db, token, token.redeemed_by or "", admitted=right.given)
        kind, text = (
            ("root.given", "its root was given to it") if right.given else ("root.asked", "it asks for its root")
        )
        tell(Event(kind, now, text, right.why, token.machine, deployment.id))
        return token

    def lacking(self, db: sqlite3.Connection, deployment: Deployment) -> Conflict | None:
        """What is missing here for a start of its root; None for nothing."""
        if not self._sources.files.complete:
            hint = "build the maintenance stack anew: image-builder/build stack"
            return Conflict("handover-missing", "the appliance has no hand-over initrd, which mounts roots", hint)
        if (missing := root_kernels.lacking(kernel_of(db, deployment), self._sources.kernel_file)) is not None:
            return missing
        if on_volume(deployment.delivery):
            return self._volume_lacking(db, deployment)
        image = _image(db, deployment)
        if not self._sources.image_path(image.id).is_file():
            text = f"the content of image {image.name} is not on the appliance"
            return Conflict("image-missing", text, "upload it again, then retry")
        if not self._layer(db, deployment):
            text = f"what makes {image.name} the root of {deployment.name} is not on the appliance, or cannot be read"
            return Conflict("layer-missing", text, "re-deploy it")
        return None

    def _volume_lacking(self, db: sqlite3.Connection, deployment: Deployment) -> Conflict | None:
        try:
            self.on_volume(db, deployment)
        except Conflict as error:
            return error
        return None

    def on_volume(self, db: sqlite3.Connection, deployment: Deployment) -> dict[str, Any]:
        """What reaches the root volume of a deployment (``root_document.on_volume``), its secret with it.

        Raises Conflict ``export-missing`` where it is exported to this machine no longer, or not yet, and
        ``export-unreadable``.
        """
        root = root_volumes.of_deployment(db, deployment.id)
        grant = root.grant if root is not None and root.ready else None
        if root is None or grant is None or grant.machine != deployment.machine:
            text = f"the root volume of {deployment.name} is not exported to its machine"
            raise Conflict("export-missing", text, "stop it and start it again; where it has none, re-deploy it")
        secret = opened(self._sealer, grant, root_volumes.secret(db, root)) if grant.target else ""
        return root_document.on_volume(root, grant, secret)

    def _layer(self, db: sqlite3.Connection, deployment: Deployment) -> str:
        """In base64; empty where there is none, or none that the key of this appliance opens."""
        sealed = roots.layer(db, deployment.id)
        try:
            return self._sealer.open(sealed or b"", _belongs(deployment.id))
        except ApplianceError:
            return ""  # it came back from a backup without its key

    def document(
        self, db: sqlite3.Connection, machine: Machine, mac: str, deployment: Deployment, at: str
    ) -> dict[str, Any]:
        """What a hand-over initrd is told, where nothing is ``lacking``; earlier downloads of this root end."""
        if on_volume(deployment.delivery):
            return root_document.document(machine, mac, deployment, self.on_volume(db, deployment))
        image, token = _image(db, deployment), secrets.token_hex(32)
        roots.put_download(db, token, machine.id, image.id)
        told = root_document.in_memory(image, self._sources.server(at), token, self._layer(db, deployment))
        return root_document.document(machine, mac, deployment, told)

    def by_kexec(self, db: sqlite3.Connection, machine: Machine, deployment: Deployment, at: str) -> dict[str, Any]:
        """What the agent of a machine needs to start its root, where nothing is ``lacking``."""
        mac = boot_mac(machine)
        told = self.document(db, machine, mac, deployment, at)
        files = files_with(self._sources.files, kernel_of(db, deployment))
        return by_kexec(files, self._sources.server(at), mac, told, APPEND)

    async def kernel(self, address: str, name: str) -> Path:
        """What is served of a kernel (``root_kernels.path_of``); raises NotFound."""
        return await self._store.read(lambda db: root_kernels.served(db, address, name, self._sources.kernel_file))

    async def take_layer(self, token: str, attempt: str, content: str) -> None:
        """Keep what an agent has made of an image, as base64; raises Denied, Conflict ``stale-step``, Invalid."""
        _check_layer(content)

        def job(db: sqlite3.Connection) -> None:
            session = tokens.get_session(db, token)
            live = attempts.live_of(db, session.machine) if session.proven else None
            deployment = deployments.of_machine(db, session.machine)
            if live is None or live.id != attempt or not entitled(session, live) or not _makes_root(live, deployment):
                raise Conflict("stale-step", "nobody waits for this (any more)")
            assert deployment is not None, "it makes a root of one"
            roots.put_layer(db, deployment.id, self._sealer.seal(content, _belongs(deployment.id)))

        await self._store.write(job)


def is_to_run(machine: Machine, deployment: Deployment, attempt: Attempt | None) -> bool:
    """Whether the machine is to run the system of this deployment now, from the network. Pure.

    Not while an attempt takes it elsewhere, and not where it was stopped, broken, rescued, or has failed.
    """
    if on_disk(deployment.delivery) or not deployment.current:
        return False
    if attempt is not None:
        return attempt.step is not None and attempt.step.name == REPORT_ACTIVE
    return machine.state is State.ACTIVE


def _image(db: sqlite3.Connection, deployment: Deployment) -> Image:
    """What its system is started from: another may be wanted by now, for the next deploy."""
    started = deployment.installed.image if deployment.installed else None
    return catalogue.image(db, started or deployment.image)


def _belongs(deployment: DeploymentId) -> str:
    return f"root layer of deployment {deployment}"


def _makes_root(attempt: Attempt, deployment: Deployment | None) -> bool:
    step = attempt.step.name if attempt.step else ""
    return step == CONFIGURE and deployment is not None and in_memory(deployment.delivery)


def _check_layer(content: str) -> None:
    try:
        layer = b64decode(content, validate=True)
    except (NotBase64, ValueError) as error:
        raise Invalid("layer-invalid", "a layer is base64") from error
    if not 0 < len(layer) <= LARGEST_LAYER:
        raise Invalid("layer-invalid", f"a layer has 1 to {LARGEST_LAYER} bytes")
