"""Exports of root volumes: the privileged helper is asked for what the store wants, one change after the other."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from appliance.errors import ApplianceError
from appliance.export import ExportId, ExportKind
from appliance.pool import KnownPool
from appliance.privileged.verbs.exports import Exports, List
from appliance.privileged.verbs.iscsi_exports import IscsiGrant, IscsiRevoke
from appliance.privileged.verbs.nfs_exports import NfsGrant, NfsRevoke
from appliance.reconcile.root_volumes.sealed import opened
from appliance.root_volume import RootVolume
from appliance.storage.lvm import Asks
from appliance.store.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Site:
    """What exports take from the appliance that they are on."""

    domain: str
    """DNS domain that names of targets and initiators are made of."""
    server_for: Callable[[str | None], str | None]
    """Our address that a machine with this one reaches us at; None where its subnet is not served."""


class Exporting:
    """Cheap to build. Who changes exports, and what the store says of them, has ``alone``."""

    def __init__(self, helper: Asks, sealer: Sealer) -> None:
        self._helper, self._sealer = helper, sealer
        self.alone = asyncio.Lock()

    async def found(self) -> Exports:
        """What the kernel has; nothing on a computer without the privileged helper."""
        try:
            return await self._helper.call(List())
        except ApplianceError as error:
            if error.code != "helper-missing":
                raise
            return Exports((), ())

    async def grant(self, root: RootVolume, sealed: bytes, pool: KnownPool, *, serve: bool = True) -> None:
        """As the store wants it; what is there of it stays. ``serve``: machines may use it from now on."""
        of = root.grant
        assert of is not None, "nobody wants an export of it"
        if of.export.kind is ExportKind.NFS:
            await self._helper.call(
                NfsGrant(of.export.id, pool.place, root.volume, of.export.address, of.server, serve=serve)
            )
            return
        secret = opened(self._sealer, of, sealed)
        await self._helper.call(
            IscsiGrant(
                of.export.id, pool.place, root.volume, of.target, of.export.initiator, of.server, of.user, secret,
                serve=serve,
            )
        )  # fmt: skip

    async def revoke(self, kind: ExportKind, export: ExportId) -> str:
        """Nobody reaches it any more; what the kernel still has of it, in words."""
        verb = NfsRevoke(export) if kind is ExportKind.NFS else IscsiRevoke(export)
        try:
            return (await self._helper.call(verb)).left
        except ApplianceError as error:
            if error.code != "helper-missing":
                raise
            return ""  # then nothing is exported
