"""Log-in to the appliance itself by SSH: whose keys are let in, as root and nobody else. Pure."""

from typing import ClassVar

import msgspec

from appliance.errors import Conflict
from appliance.privileged.verb import Verb

UNIT = "ssh.service"


class LetIn(msgspec.Struct, frozen=True):
    """A key that is let in."""

    kind: str
    """As ``ssh-ed25519``."""
    fingerprint: str
    """As ``SHA256:...``."""
    comment: str
    line: str
    """All of it, public, as it was given."""


class SshStatus(msgspec.Struct, frozen=True):
    """How log-in by SSH is."""

    on: bool
    """Whether anybody is let in; if not, the SSH server does not run."""
    keys: tuple[LetIn, ...]
    others: int
    """Lines beside them that are no keys as we write them: somebody who was root put them there."""
    host_key: str
    """Fingerprint of the appliance's own key, to be compared at the first log-in; empty before there is one."""
    active: str
    """Of the SSH server, as systemd says it: ``active``, ``inactive``, ``failed``, ..."""
    version: str
    """Of the keys: another one whenever they change."""


class Status(Verb[SshStatus], frozen=True):
    """Whose keys are let in."""

    name: ClassVar[str] = "ssh.status"


class Authorize(Verb[SshStatus], frozen=True):
    """Let in those who have one of these keys, and nobody else. Without keys the SSH server is stopped.

    Raises Invalid as ``authorized_keys.parse_all``, and Conflict ``ssh-keys-changed`` where ``version`` is given and is
    not that of the keys as they are.
    """

    name: ClassVar[str] = "ssh.authorize"

    keys: tuple[str, ...]
    """Public keys, each as the line of a ``.pub`` file."""
    version: str = ""


def changed_meanwhile() -> Conflict:
    """What is said to who changes keys that are not as they were seen."""
    hint = "look at them, then change them again"
    return Conflict("ssh-keys-changed", "somebody else has changed the keys meanwhile", hint, "version")
