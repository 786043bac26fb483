"""Exports by iSCSI: granted to one initiator, taken back at once; see ``verbs/exports.py``. Pure."""

from typing import ClassVar

from appliance.privileged.verb import Verb
from appliance.privileged.verbs.exports import Granted, Revoked


class IscsiGrant(Verb[Granted], frozen=True):
    """Export a volume as a disk to one initiator that knows the secret.

    One that has been exported in the same way stays as it is, with its session; only the secret may be another, which
    counts from the next log-in. Raises Invalid ``export-id``, ``target-name``, ``initiator-name``, ``export-address``,
    ``chap-user``, ``chap-secret``, ``volume-id``, ``group-uuid``; NotFound ``volume-unknown``; Conflict
    ``volume-busy``, ``volume-read-only``, ``volume-in-use``, ``export-other`` where this id is granted for something
    else, ``address-not-served``; ApplianceError ``iscsi-failed``, ``storage-failed``, ``storage-unreadable``.
    """

    name: ClassVar[str] = "exports.iscsi-grant"
    patience: ClassVar[float] = 180.0

    id: str
    group: str
    volume: str
    target: str
    """Name of the target: ``export.target_name``."""
    initiator: str
    server: str
    user: str
    secret: str
    read_only: bool = False
    serve: bool = True
    """False: it is made ready, and nobody can log in."""

    def __repr__(self) -> str:
        """Without the secret: it may be written somewhere."""
        return f"IscsiGrant(id={self.id!r}, target={self.target!r}, initiator={self.initiator!r})"


class IscsiRevoke(Verb[Revoked], frozen=True):
    """End the machine's session, and take target and unit away. One that is not there is no mistake.

    Raises Invalid ``export-id``; ApplianceError ``iscsi-failed``.
    """

    name: ClassVar[str] = "exports.iscsi-revoke"
    patience: ClassVar[float] = 180.0

    id: str
