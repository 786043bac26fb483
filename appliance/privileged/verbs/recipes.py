"""Images by recipes, which are made in a unit of its own: the daemon's has no user namespaces. Pure."""

from typing import ClassVar

from appliance.privileged.verb import Done, Verb

LONGEST = 24 * 3600 + 900
"""Seconds: the most that a recipe may say, and what the unit has besides for its end."""


class Build(Verb[Done], frozen=True):
    """Make what the order in a place of the daemon's asks for; it ends with the unit, whatever came of it.

    What the unit says, and its result, are in the place. It is stopped, and all that it left elsewhere is removed,
    when who asked goes away. Raises Invalid ``recipe-place``; NotFound ``recipe-place`` where there is no such place;
    ApplianceError as programs do where systemd cannot start it.
    """

    name: ClassVar[str] = "recipes.build"
    patience: ClassVar[float] = LONGEST + 300.0

    place: str
    """Its name in the directory of the daemon's state that is there for this; no path."""
