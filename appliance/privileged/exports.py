"""Carries out ``exports.list``: what machines reach of the volumes, by NFS and by iSCSI."""

import asyncio

from appliance.privileged import iscsi_exports, nfs_exports, nfs_server
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verbs.exports import Exports, List


async def listed(verb: List, on: Computer, tell: Tell) -> Exports:
    """As the kernel has it at this moment."""
    by_nfs = nfs_exports.exported(on)
    by_iscsi = await asyncio.to_thread(iscsi_exports.exported, on.targets)
    return Exports((*by_nfs, *by_iscsi), nfs_server.served(on))
