"""Exports by NFS: granted to one address, taken back at once; see ``verbs/exports.py``. Pure."""

from typing import ClassVar

from appliance.privileged.verb import Verb
from appliance.privileged.verbs.exports import Granted, Revoked


class NfsGrant(Verb[Granted], frozen=True):
    """Export a volume's file system to one address; one that has been exported in the same way stays as it is.

    The file system must be one that we have made (tag ``qrm.filesystem=``): the kernel reads what is on it. Raises
    Invalid ``export-id``, ``export-address``, ``volume-id``, ``group-uuid``; NotFound ``volume-unknown``; Conflict
    ``volume-busy``, ``volume-read-only``, ``volume-not-filled``, ``volume-in-use``, ``export-other`` where this id is
    granted for something else, ``address-not-served``; ApplianceError ``nfs-not-serving``, ``storage-failed``,
    ``storage-unreadable``.
    """

    name: ClassVar[str] = "exports.nfs-grant"
    patience: ClassVar[float] = 180.0

    id: str
    group: str
    """UUID of the volume group, as LVM says it."""
    volume: str
    address: str
    """The machine's, IPv4."""
    server: str
    """Our own, IPv4, on the network that the machine is reached through."""
    read_only: bool = False
    serve: bool = True
    """False: it is made ready, and no server is started for it."""


class NfsRevoke(Verb[Revoked], frozen=True):
    """End the machine's access, files that it has open included. One that is not there is no mistake.

    Raises Invalid ``export-id``; ApplianceError ``export-not-revoked`` where the kernel keeps its file system mounted.
    """

    name: ClassVar[str] = "exports.nfs-revoke"
    patience: ClassVar[float] = 180.0

    id: str
