"""Exports of volumes: granted to one machine, taken back at once, listed as the kernel has them. Pure.

What is granted stays while daemon and helper come and go, and is gone after a restart of the appliance: nobody reaches
anything until the daemon grants it again. For machines that were in the middle of something the daemon then grants in
two rounds, the first with ``serve`` false: while a server does not answer they wait, but one that answers without
having their export tells them that it is gone.
"""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Verb


class Granted(msgspec.Struct, frozen=True):
    """What a machine needs to reach its export."""

    server: str
    """Address of the appliance."""
    place: str
    """NFS: the directory to mount, as ``/0123456789abcdef``. iSCSI: the name of the target; its unit is number 0."""


class Revoked(msgspec.Struct, frozen=True):
    """The machine reaches nothing of it any more."""

    left: str = ""
    """What the kernel still has of it, in words, until it lets it go by itself; empty as a rule."""


class Exported(msgspec.Struct, frozen=True):
    """One export, or what was left of one, as the kernel has it."""

    kind: str
    """``nfs`` or ``iscsi``."""
    ours: bool
    """False: somebody else has made it; it is shown and never touched."""
    id: str = ""
    """Of an export of ours."""
    volume: str = ""
    """Its volume's id, where it has one."""
    client: str = ""
    """Address or name of the initiator that it is for; what somebody else has written, where it is not ours."""
    place: str = ""
    """As in ``Granted``; of others the directory or the target."""
    read_only: bool = False
    whole: bool = False
    """Granted to its end. If not, the grant was cut off, or was made with ``serve`` false: grant again, or revoke."""
    connected: bool = False
    """The machine uses it at this moment."""


class Exports(msgspec.Struct, frozen=True):
    """What is exported, and where NFS is served."""

    found: tuple[Exported, ...]
    served: tuple[str, ...]
    """Addresses of ours at which the NFS server listens; none while it does not run."""


class List(Verb[Exports], frozen=True):
    """What the kernel has at this moment, whoever has made it."""

    name: ClassVar[str] = "exports.list"
