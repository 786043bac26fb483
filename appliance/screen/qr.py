"""A link as a QR code that a terminal can show (ISO/IEC 18004, made by segno): two modules in a cell. Pure."""

from collections.abc import Sequence

import segno

QUIET = 2
"""Modules of white around it. The norm asks for four; telephones read it with two, and a screen has 24 lines."""

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def modules(text: str) -> list[list[bool]]:
    """True where it is dark, the quiet zone around it included; as small as it can be."""
    code = segno.make(text, error="l", micro=False, boost_error=False)
    rows = [[bool(each) for each in row] for row in code.matrix]
    width = len(rows) + 2 * QUIET
    empty = [[False] * width for _ in range(QUIET)]
    return [*empty, *([False] * QUIET + row + [False] * QUIET for row in rows), *empty]


def half_blocks(rows: Sequence[Sequence[bool]]) -> list[str]:
    """Lines of half blocks, dark on light."""
    below = [False] * len(rows[0])
    pairs = [(rows[place], rows[place + 1] if place + 1 < len(rows) else below) for place in range(0, len(rows), 2)]
    return ["".join(_HALVES[pair] for pair in zip(*both, strict=True)) for both in pairs]
