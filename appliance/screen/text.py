"""Text in the cells of a terminal: cleaned, measured, cut, wrapped. Pure."""

import unicodedata
from dataclasses import dataclass

PLAIN, TITLE, STRONG, WARN, CHOSEN, PAPER = "plain", "title", "strong", "warn", "chosen", "paper"
"""How a line looks. None of them carries a meaning that its words do not have: terminals may have no colours."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the screen, at most as wide as the screen."""

    text: str = ""
    style: str = PLAIN


@dataclass(frozen=True, slots=True)
class Size:
    """A terminal: its cells, and what it can show in them."""

    columns: int = 80
    rows: int = 24
    ascii_only: bool = False


def clean(text: str) -> str:
    """Text that only shows: machines choose names, and nothing of them steers a terminal."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


_ASCII = str.maketrans({"─": "-", "│": "|", "·": "-", "…": "~", "•": "*", "›": ">", "█": "#", "–": "-"})


def plain_ascii(text: str) -> str:
    """The same for a terminal that knows no other letters."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text.translate(_ASCII))
    kept = "".join(each for each in apart if not unicodedata.combining(each))
    return "".join(each if each.isascii() else "?" for each in kept)


def cells(text: str) -> int:
    """How many cells a cleaned text takes (Unicode Standard Annex 11)."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _head(text: str, columns: int) -> str:
    """As much of the beginning as fits."""
    room = columns
    for place, letter in enumerate(text):
        room -= _width(letter)
        if room < 0:
            return text[:place]
    return text


def cut(text: str, columns: int) -> str:
    """The text, its end replaced by ``…`` where it is too wide."""
    if cells(text) <= columns:
        return text
    return f"{_head(text, columns - 1)}…" if columns > 0 else ""


def padded(text: str, columns: int) -> str:
    """The text, cut or filled with spaces to exactly this width."""
    short = cut(text, columns)
    return short + " " * (columns - cells(short))


def ends(left: str, right: str, columns: int) -> str:
    """Two texts at the ends of a line; the right one is kept where there is no room for both."""
    room = max(columns - cells(right), 0)
    return cut(padded(left, room) + right, columns)


def wrapped(text: str, columns: int) -> list[str]:
    """The text in lines of at most this width (2 or more), broken at spaces; longer words are broken anywhere."""
    lines, current = list[str](), ""
    for word in text.split(" "):
        joined = f"{current} {word}" if current else word
        if cells(joined) <= columns:
            current = joined
            continue
        if current:
            lines.append(current)
        while cells(word) > columns:
            head = _head(word, columns) or word[0]
            lines.append(head)
            word = word[len(head) :]
        current = word
    return [*lines, current] if current or not lines else lines


def tail(text: str, columns: int) -> str:
    """The end of a text that somebody types, so that they see where they are."""
    while text and cells(text) > columns:
        text = text[1:]
    return text
