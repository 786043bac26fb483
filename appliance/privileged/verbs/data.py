"""The data group: the disks that images, volumes and VMs are kept on. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Done, Verb

GROUP = "qrm"
"""The volume group that is made of whole disks."""


class Chosen(msgspec.Struct, frozen=True):
    """What was chosen; it is kept on the state partition."""

    disks: tuple[str, ...] = ()
    """Serial numbers or WWNs; none: what is left of the appliance's own disk."""


class Prepare(Verb[Done], frozen=True):
    """Clear whole disks and put them into the data group; those that are in it already stay as they are.

    Raises NotFound ``disk-unknown``, Conflict ``disk-own`` or ``disk-busy``; nothing is cleared then.
    """

    name: ClassVar[str] = "data.prepare"
    patience: ClassVar[float] = 120.0

    disks: tuple[str, ...]
    """Serial numbers or WWNs of disks whose content may go."""
