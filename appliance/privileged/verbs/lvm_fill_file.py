"""A volume that is to hold what the daemon has made as a file. Pure."""

from typing import ClassVar

from appliance.privileged.verb import Done, Verb


class FillFile(Verb[Done], frozen=True):
    """Copy a file of the daemon's into a volume that was made to be filled; the rest of it reads as zeros, and it is
    whole then.

    The same as ``lvm.fill`` besides. Raises NotFound ``filling-missing``, ``volume-unknown``; Invalid ``volume-id``,
    ``filling-too-large``, ``file-system``; Conflict ``volume-in-use``.
    """

    name: ClassVar[str] = "lvm.fill-file"
    patience: ClassVar[float] = 900.0

    group: str
    id: str
    file: str
    """Its name in the directory of the daemon's state that is there for this; no path."""
    read_only: bool = False
    file_system: str = ""
    """``ext4`` where our own programs have made one in it: it is checked once more, and may be mounted from then on."""
