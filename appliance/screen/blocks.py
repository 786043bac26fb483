"""What several pages are made of: headings, prose, labels; and what of them is seen where room is short. Pure."""

from appliance.screen.facts import Facts
from appliance.screen.text import PLAIN, STRONG, Line, Size, clean, padded, wrapped

LABEL = 14
"""Cells of the labels at the left."""


def heading(title: str) -> list[Line]:
    """A title with a line above and below it."""
    return [Line(), Line(title, STRONG), Line()]


def prose(texts: tuple[str, ...], size: Size, style: str = PLAIN) -> list[Line]:
    """Texts, wrapped."""
    return [Line(each, style) for text in texts for each in _wrapped_inset(clean(text), size.columns)]


def _wrapped_inset(text: str, columns: int) -> list[str]:
    """Wrapped, with the spaces that the text begins with before each line of it."""
    inset = " " * (len(text) - len(text.lstrip(" ")))
    return [inset + each for each in wrapped(text.lstrip(" "), max(columns - len(inset), 8))]


def labelled(label: str, values: list[str]) -> list[Line]:
    """Lines with a label at the left of the first."""
    return [Line(f"{padded(label if place == 0 else '', LABEL)}{each}") for place, each in enumerate(values)]


def with_end(lines: list[Line], size: Size) -> list[Line]:
    """On a small terminal the heading and the end: that is where something is typed."""
    return lines if len(lines) <= size.rows else [*lines[1:2], *lines[len(lines) - max(size.rows - 1, 0) :]]


def around(lines: list[Line], at: int, room: int) -> list[Line]:
    """As many as there is room for, that one among them."""
    room = max(room, 1)
    first = max(0, min(at - room // 2, len(lines) - room))
    return lines[first : first + room]


def left(facts: Facts, until: float) -> str:
    """How long it is until then."""
    return f"{max(round(until - facts.at), 0)} s"
