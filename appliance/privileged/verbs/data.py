"""The data group: the disks that images, volumes and VMs are kept on. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Done, Verb

GROUP = "qrm"
"""The volume group that is made of whole disks, or of what the appliance's own disk has left."""


class Chosen(msgspec.Struct, frozen=True):
    """What was chosen; it is kept on the state partition."""

    disks: tuple[str, ...] = ()
    """Serial numbers or WWNs; none: what is left of the appliance's own disk."""


class Choice(Verb[Chosen], frozen=True):
    """What was chosen last; nothing where nobody has chosen."""

    name: ClassVar[str] = "data.choice"


class Prepare(Verb[Done], frozen=True):
    """Clear whole disks and put them into the data group; those that are in it already stay as they are.

    Without disks the group is made of what the appliance's own disk has left, if it has; nothing is cleared for that,
    and a group that is there already stays as it is.

    Raises NotFound ``disk-unknown``, Conflict ``disk-own`` or ``disk-busy``; nothing is cleared then.
    """

    name: ClassVar[str] = "data.prepare"
    patience: ClassVar[float] = 120.0

    disks: tuple[str, ...]
    """Serial numbers or WWNs of disks whose content may go."""
