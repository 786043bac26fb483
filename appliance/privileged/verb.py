"""A verb of the privileged helper: its name, its typed values, and the type of its result. Pure."""

import typing
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

R = TypeVar("R")


class Verb(msgspec.Struct, Generic[R], frozen=True, forbid_unknown_fields=True):
    """Something that the helper can do, with the values that it needs; ``R`` is the type of the result.

    A subclass names itself in ``name`` (area and verb, ``power.reboot``) and has plain values only. What may stand in
    them is checked once more by the function that carries it out: a mistake in the daemon is to become a refusal.
    """

    name: ClassVar[str]
    patience: ClassVar[float] = 60.0
    """Seconds that the client waits for the next line of the answer; a verb that takes longer says how far it is."""


class Done(msgspec.Struct, frozen=True):
    """The result of a verb that has nothing to tell."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line from the client."""

    verb: str
    args: msgspec.Raw = msgspec.Raw(b"{}")


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error, as it travels: the fields of ApplianceError, and which of its children it is."""

    code: str
    message: str
    hint: str = ""
    field: str = ""
    kind: str = ""
    """``invalid``, ``not-found``, ``conflict`` or ``denied``; empty for an ApplianceError itself."""


class Line(msgspec.Struct, frozen=True):
    """One line of the answer: how far it is, or the end of it."""

    progress: float | None = None
    """0 to 1, where that is known."""
    message: str = ""
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Said | msgspec.UnsetType = msgspec.UNSET


def result_type(verb: type[Verb[Any]]) -> type[Any]:
    """The ``R`` of a verb's class."""
    for base in getattr(verb, "__orig_bases__", ()):
        if typing.get_origin(base) is Verb:
            (found,) = typing.get_args(base)
            return typing.cast("type[Any]", found)
    raise TypeError(f"{verb.__name__} does not say what its result is: class {verb.__name__}(Verb[...])")
