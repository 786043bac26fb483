"""What a volume is to hold. Pure."""

from typing import ClassVar

from appliance.privileged.verb import Done, Verb


class Fill(Verb[Done], frozen=True):
    """Copy into a volume what it is to hold, or write zeros where it has to read as zeros; then it is whole.

    It takes as long as that takes, and stops when who asked goes away: the volume is as unfinished as before. Raises
    Invalid ``volume-id``; NotFound ``volume-unknown``; Conflict ``volume-in-use``.
    """

    name: ClassVar[str] = "lvm.fill"
    patience: ClassVar[float] = 300.0

    group: str
    id: str
    source: str = ""
    """The volume whose content it gets; empty: zeros."""
    read_only: bool = False
