"""Every page as lines of a terminal: as many as it has, none wider than it is. Pure.

``front`` and ``asking`` have the pages that say and ask most, ``blocks`` what they are made of.
"""

from dataclasses import replace

from appliance.screen.asking import confirm, form, menu
from appliance.screen.blocks import heading, labelled, left, prose, with_end
from appliance.screen.facts import Facts
from appliance.screen.front import code, front
from appliance.screen.menu import KEEP_WORD
from appliance.screen.pages import Busy, Code, Confirm, Form, Front, Menu, Page, Reader, Told, Trial
from appliance.screen.text import (
    PLAIN,
    STRONG,
    TITLE,
    WARN,
    Line,
    Size,
    clean,
    cut,
    ends,
    padded,
    plain_ascii,
    tail,
    wrapped,
)

_KEYS = {
    Code: "Enter: back",
    Menu: "Up, Down: move   Enter: choose   Esc: back",
    Form: "Up, Down: move   Left, Right: other choice   Enter: next   Esc: back",
    Reader: "Up, Down, PgUp, PgDn: move   End: newest   Esc: back",
    Told: "Enter: back",
    Trial: "Enter: keep them   Esc: take them back",
}


def view(page: Page, facts: Facts, size: Size) -> list[Line]:
    """The whole screen."""
    inner = max(size.columns - 2, 1)
    head = [_title(facts, size), *_warnings(facts, page, inner)]
    foot = Line(padded(f" {_keys(page, facts)}", size.columns), TITLE)
    body = _body(page, facts, replace(size, columns=inner, rows=max(size.rows - len(head) - 1, 0)))
    lines = [*head, *_indented(body)][: max(size.rows - 1, 0)]
    lines += [Line()] * (size.rows - 1 - len(lines))
    return [_fitted(each, size) for each in (*lines, foot)][: size.rows]


def _fitted(line: Line, size: Size) -> Line:
    text = clean(line.text)
    return Line(cut(plain_ascii(text) if size.ascii_only else text, size.columns), line.style)


def _indented(lines: list[Line]) -> list[Line]:
    return [Line(f" {each.text}" if each.text else "", each.style) for each in lines]


def _title(facts: Facts, size: Size) -> Line:
    left = f" qrm appliance {facts.host}"
    slot = f"slot {facts.slot}" if facts.slot else ""
    right = "  ".join(each for each in (facts.version, slot, facts.clock) if each)
    return Line(ends(left, f"{right} ", size.columns), TITLE)


def _warnings(facts: Facts, page: Page, columns: int) -> list[Line]:
    """What cannot wait, three lines of it at most."""
    said = list(facts.warnings)
    if facts.network_until is not None and not isinstance(page, Trial):
        said.insert(0, f"The network was changed and nobody has kept it: in {left(facts, facts.network_until)} "
                    "the old settings come back.")  # fmt: skip
    lines = [
        f"{'! ' if first else '  '}{part}"
        for each in said
        for first, part in zip([True, *[False] * 9], wrapped(clean(each), max(columns - 2, 1)), strict=False)
    ]
    if len(lines) > 3:
        lines = [*lines[:2], f"! and {len(said) - 1} more"] if len(said) > 1 else lines[:3]
    return [Line(f" {each}", WARN) for each in lines]


def _keys(page: Page, facts: Facts) -> str:
    match page:
        case Front():
            more = "   Q: QR code of the set-up link" if facts.setup else ""
            return "Enter: menu" + more + ("   I: install onto a disk" if facts.may_install else "")
        case Confirm():
            return "Enter: go on   Esc: back"
        case Busy():
            return "Esc: stop it" if page.may_cancel else ""
        case _:
            return _KEYS[type(page)]


def _body(page: Page, facts: Facts, size: Size) -> list[Line]:
    match page:
        case Front():
            return front(facts, size)
        case Code():
            return code(facts, size)
        case Menu():
            return menu(page, size)
        case Form():
            return form(page, size)
        case Confirm():
            return with_end(confirm(page, size), size)
        case Reader():
            return _reader(page, size)
        case Busy():
            return _busy(page, size)
        case Told():
            return [*heading(page.title), *prose(page.lines, size, PLAIN if page.good else WARN)]
        case Trial():
            return with_end(_trial(page, facts, size), size)


def _reader(page: Reader, size: Size) -> list[Line]:
    room, count = max(size.rows - 2, 1), len(page.lines)
    end = max(count - page.back, min(room, count))
    place = f"{end} of {count} lines"
    lines = [Line(each) for each in page.lines[max(end - room, 0) : end]]
    return [Line(), Line(ends(page.title, place, size.columns), STRONG), *lines]


def _busy(page: Busy, size: Size) -> list[Line]:
    lines = [*heading(page.title or "Please wait"), *prose((page.message or "Please wait.",), size)]
    if page.part is None:
        return lines
    room = max(min(size.columns - 8, 60), 4)
    full = round(room * max(0.0, min(page.part, 1.0)))
    return [*lines, Line(), Line(f"[{'#' * full}{'.' * (room - full)}] {page.part:4.0%}")]


def _trial(page: Trial, facts: Facts, size: Size) -> list[Line]:
    ask = f"Does the network work? In {left(facts, page.until)} the settings of before come back by themselves."
    where = facts.urls or ("no address yet",)
    lines = [*heading("The new settings are in use"), *prose(tuple(f"  {each}" for each in page.lines), size), Line()]
    lines += [*labelled("Console", list(where)), Line(), *prose((ask,), size), Line()]
    typed = Line(f"> {tail(clean(page.typed), size.columns - 4)}_")
    return [*lines, Line(f"Type {KEEP_WORD} to keep them:", STRONG), typed]
