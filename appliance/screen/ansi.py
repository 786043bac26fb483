"""Lines as bytes for a terminal: only those that changed, since a serial line carries eleven thousand a second. Pure.

ECMA-48 sequences that a VT100 knows, and colours, which it ignores.
"""

from collections.abc import Sequence

from appliance.screen.keys import Position
from appliance.screen.text import CHOSEN, PAPER, PLAIN, STRONG, TITLE, WARN, Line, Size

_STYLES = {PLAIN: "0", TITLE: "0;7", STRONG: "0;1", WARN: "0;1;31", CHOSEN: "0;7", PAPER: "0;30;47"}
OPEN = b"\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J"
"""No cursor, no wrapping at the right edge, nothing on the screen."""
CLOSE = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[2J\x1b[H"
"""As whoever comes next expects it."""
UTF8_LINUX = b"\x1b%G"
"""The Linux console reads UTF-8 from here on (console_codes(4))."""
ASK = b"\x1b[1;1H\xc3\xa9\x1b[6n\x1b[999;999H\x1b[6n"
"""A letter of two bytes, and where the cursor is then; and where it is once it can go no further (ECMA-48 DSR)."""
LEAST, MOST = Size(40, 12), Size(250, 100)


def drawn(before: Sequence[Line], after: Sequence[Line]) -> bytes:
    """What turns one screen into another one; with nothing ``before``, all of it."""
    changed = [place for place, line in enumerate(after) if place >= len(before) or before[place] != line]
    return b"".join(_row(place, after[place]) for place in changed)


def _row(place: int, line: Line) -> bytes:
    # Erased first and to its end: what was there may have been longer (EL).
    return f"\x1b[{place + 1};1H\x1b[{_STYLES[line.style]}m{line.text}\x1b[0m\x1b[K".encode(errors="replace")


def answered(answers: Sequence[Position]) -> Size | None:
    """What the two answers to ``ASK`` tell; None while one is missing, or where they cannot be true.

    A terminal that reads UTF-8 has moved one cell by the letter, another one two.
    """
    if len(answers) < 2:
        return None
    letter, corner = answers[-2], answers[-1]
    if letter.row != 1 or letter.column not in (2, 3) or corner.row < LEAST.rows or corner.column < LEAST.columns:
        return None
    return Size(min(corner.column, MOST.columns), min(corner.row, MOST.rows), ascii_only=letter.column == 3)
