"""The boot loaders on the disk, which start both slots. Pure."""

from typing import ClassVar

from appliance.privileged.verb import Verb


class Renew(Verb[list[str]], frozen=True):
    """Bring the boot loaders to those of the system that runs; gives what was written."""

    name: ClassVar[str] = "loader.renew"
    patience: ClassVar[float] = 300.0
