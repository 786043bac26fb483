"""The pages of the screen, as values: what is on them, and where on them somebody is. Pure."""

from dataclasses import dataclass, field, replace

from appliance.screen.orders import Order


@dataclass(frozen=True, slots=True)
class Front:
    """The page that stands there when nobody does anything."""


@dataclass(frozen=True, slots=True)
class Code:
    """The set-up link as a QR code."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a menu."""

    label: str
    choice: str
    """What choosing it means: a name in the table of ``steer``."""
    value: object = None
    """What it is chosen of."""
    about: str = ""
    refused: str = ""
    """Why it cannot be chosen; empty: it can."""


@dataclass(frozen=True, slots=True)
class Menu:
    """Lines to choose from."""

    title: str
    items: tuple[Item, ...]
    intro: tuple[str, ...] = ()
    at: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a form."""

    name: str
    label: str
    value: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    """Values with their words; empty: anything can be typed."""
    secret: bool = False
    only_for: tuple[str, ...] = ()
    """Name of another field, and the values of it that this one is there for; empty: it is always there."""


@dataclass(frozen=True, slots=True)
class Form:
    """Lines to fill in, and a button below them."""

    title: str
    sends: str
    """What it is for: a name in the table of ``steer``."""
    fields: tuple[Field, ...]
    intro: tuple[str, ...] = ()
    button: str = "Go on"
    at: int = 0
    error: str = ""
    about: object = None
    """What it is about, for whoever reads it."""

    def shown(self) -> tuple[Field, ...]:
        """The fields that matter with what stands in the others."""
        values = self.values()
        return tuple(each for each in self.fields if not each.only_for or values[each.only_for[0]] in each.only_for[1:])

    def values(self) -> dict[str, str]:
        """What stands in it, by name."""
        return {each.name: each.value for each in self.fields}

    def with_value(self, name: str, value: str) -> "Form":
        """The form with another value in one field."""
        changed = tuple(replace(each, value=value) if each.name == name else each for each in self.fields)
        return replace(self, fields=changed, error="")


@dataclass(frozen=True, slots=True)
class Confirm:
    """What is about to happen; goes on when the word is typed.

    There is always a word: noise of a serial line, or what another computer prints on it, must not restart anything.
    """

    title: str
    lines: tuple[str, ...]
    order: Order
    word: str
    typed: str = ""
    wrong: bool = False
    first: int = 0
    """The first of the lines in sight: on a small terminal there may be no room for all."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Lines to read, as many as there are, from their end."""

    title: str
    lines: tuple[str, ...]
    """As wide as the screen was when they came."""
    room: int = 20
    """How many of them are seen at once."""
    back: int = 0
    """How many lines below the last one in sight."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Something goes on."""

    title: str
    order: Order = field(default_factory=Order)
    message: str = ""
    part: float | None = None
    may_cancel: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it."""

    title: str
    lines: tuple[str, ...]
    good: bool = True


@dataclass(frozen=True, slots=True)
class Trial:
    """Other settings of the network are tried: they are kept, or taken back by themselves."""

    until: float
    """Unix time."""
    lines: tuple[str, ...] = ()
    typed: str = ""


Page = Trial | Front | Code | Menu | Form | Confirm | Reader | Busy | Told
