"""Back to how it was flashed. Pure."""

from typing import ClassVar

from appliance.privileged.verb import Done, Verb


class Factory(Verb[Done], frozen=True):
    """Have the state partition made anew at the next start, and restart; answered before it goes down."""

    name: ClassVar[str] = "reset.factory"
