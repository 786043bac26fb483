"""The files of the maintenance stack, as they are built and served. Pure."""

from dataclasses import dataclass

NEEDED = ("vmlinuz", "initrd")
HAND_OVER = ("handover", "handover-modules")
"""The hand-over initrd in two parts: what is the same for every kernel, and the modules of this one. A stack that was
built without them has no roots on the network."""


@dataclass(frozen=True, slots=True)
class StackFile:
    """One of them as it is served."""

    bytes: int
    sha256: str
    """Hex."""
