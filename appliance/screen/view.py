"""Every page as lines of a terminal: as many as it has, none wider than it is. Pure."""

from dataclasses import replace

from appliance.screen import qr
from appliance.screen.facts import Facts, Service, setup_link, spaced_fingerprint, wall_time
from appliance.screen.menu import KEEP_WORD
from appliance.screen.pages import Busy, Code, Confirm, Field, Form, Front, Item, Menu, Page, Reader, Told, Trial
from appliance.screen.text import (
    CHOSEN,
    PAPER,
    PLAIN,
    STRONG,
    TITLE,
    WARN,
    Line,
    Size,
    cells,
    clean,
    cut,
    ends,
    padded,
    plain_ascii,
    tail,
    wrapped,
)

LABEL = 14
"""Cells of the labels at the left."""
LEAST_FIELDS = 6
"""Lines of a form that are seen at once, before what stands above them goes."""
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
        said.insert(0, f"The network was changed and nobody has kept it: in {_left(facts, facts.network_until)} "
                    "the old settings come back.")  # fmt: skip
    lines = [
        f"{'! ' if first else '  '}{part}"
        for each in said
        for first, part in zip([True, *[False] * 9], wrapped(clean(each), max(columns - 2, 1)), strict=False)
    ]
    if len(lines) > 3:
        lines = [*lines[:2], f"! and {len(said) - 1} more"] if len(said) > 1 else lines[:3]
    return [Line(f" {each}", WARN) for each in lines]


def _left(facts: Facts, until: float) -> str:
    return f"{max(round(until - facts.at), 0)} s"


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
            return _front(facts, size)
        case Code():
            return _code(facts, size)
        case Menu():
            return _menu(page, size)
        case Form():
            return _form(page, size)
        case Confirm():
            return _with_end(_confirm(page, size), size)
        case Reader():
            return _reader(page, size)
        case Busy():
            return _busy(page, size)
        case Told():
            return [*_heading(page.title), *_prose(page.lines, size, PLAIN if page.good else WARN)]
        case Trial():
            return _with_end(_trial(page, facts, size), size)


# -- the front


def _front(facts: Facts, size: Size) -> list[Line]:
    lines = [Line(), *_reached(facts, size), *_services(facts.services, size), Line()]
    room = size.rows - len(lines) - 1
    if room < 1 or not facts.events:
        return lines
    told = [f"{wall_time(facts, each.at)}  {each.text}" for each in facts.events[:room]]
    return [*lines, Line("Last events", STRONG), *(Line(cut(clean(each), size.columns)) for each in told)]


def _reached(facts: Facts, size: Size) -> list[Line]:
    room = max(size.columns - LABEL, 20)
    urls = facts.urls or tuple(wrapped(f"not reachable: {facts.no_address}", room))
    lines = _labelled("Console", list(urls[:4]))
    if facts.fingerprint:
        lines += _labelled("Fingerprint", _parted(spaced_fingerprint(facts.fingerprint), size.columns - LABEL))
    if facts.may_install:
        note = "This appliance runs from a stick. Press I to install it onto a disk."
        lines += _labelled("Installer", wrapped(note, room))
    if facts.setup:
        link = setup_link(facts) or f"{facts.setup} (there is no address yet to open it at)"
        note = "Nobody has an account yet: open this link, which is good once. Q shows it as a QR code."
        if facts.setup_expired:
            note = "This link was good for a day, which is over. The menu makes a fresh one."
        lines += [replace(each, style=STRONG) for each in _labelled("Set-up", wrapped(link, room))]
        lines += _labelled("", wrapped(note, room))
    return lines


def _parted(fingerprint: str, columns: int) -> list[str]:
    """In lines of 32, 16, 8 or 4 bytes: nobody compares one whose end is missing."""
    bytes_each = next((count for count in (32, 16, 8) if count * 3 - 1 <= columns), 4)
    return [fingerprint[place : place + bytes_each * 3] for place in range(0, len(fingerprint), bytes_each * 3)]


def _labelled(label: str, values: list[str]) -> list[Line]:
    return [Line(f"{padded(label if place == 0 else '', LABEL)}{each}") for place, each in enumerate(values)]


def _services(services: tuple[Service, ...], size: Size) -> list[Line]:
    if not services:
        return []
    running = ", ".join(each.about for each in services if each.state == "running")
    lines = _labelled("Running", wrapped(running or "nothing", max(size.columns - LABEL, 20)))
    for each in services:
        if each.state not in ("running", "stopped", "resting"):
            reason = f" ({each.reason})" if each.reason else ""
            style = WARN if each.state == "failed" else PLAIN
            lines.append(Line(f"{padded(each.state.capitalize(), LABEL)}{each.about}{reason}", style))
    if stopped := ", ".join(each.about for each in services if each.state == "stopped"):
        lines += _labelled("Stopped", wrapped(stopped, max(size.columns - LABEL, 20)))
    return lines


def _code(facts: Facts, size: Size) -> list[Line]:
    link = setup_link(facts)
    if not link:
        return _prose(("There is no set-up link, or no address yet to open it at.",), size)
    drawn = qr.half_blocks(qr.modules(link))
    if size.ascii_only or len(drawn) > size.rows or cells(drawn[0]) > size.columns:
        why = "This terminal cannot show it" if size.ascii_only else "This terminal is too small for it"
        return [Line(), *_prose((f"{why}. The link:",), size), Line(link, STRONG)]
    lines = [Line(each, PAPER) for each in drawn]
    return lines if len(lines) == size.rows else [*lines, Line(link, STRONG)]


# -- menus and forms


def _heading(title: str) -> list[Line]:
    return [Line(), Line(title, STRONG), Line()]


def _with_end(lines: list[Line], size: Size) -> list[Line]:
    """On a small terminal the heading and the end: that is where something is typed."""
    return lines if len(lines) <= size.rows else [*lines[1:2], *lines[len(lines) - max(size.rows - 1, 0) :]]


def _prose(texts: tuple[str, ...], size: Size, style: str = PLAIN) -> list[Line]:
    return [Line(each, style) for text in texts for each in _wrapped_inset(clean(text), size.columns)]


def _wrapped_inset(text: str, columns: int) -> list[str]:
    """Wrapped, with the spaces that the text begins with before each line of it."""
    inset = " " * (len(text) - len(text.lstrip(" ")))
    return [inset + each for each in wrapped(text.lstrip(" "), max(columns - len(inset), 8))]


def _menu(page: Menu, size: Size) -> list[Line]:
    head = [*_heading(page.title), *_prose(page.intro, size), *([Line()] if page.intro else [])]
    # However much there is to say, some of what can be chosen is in sight.
    head = head[: max(size.rows - min(len(page.items), 4), 1)]
    items = [_item(place, each, page.at == place, size) for place, each in enumerate(page.items)]
    return [*head, *_around(items, page.at, size.rows - len(head))]


def _around(lines: list[Line], at: int, room: int) -> list[Line]:
    """As many as there is room for, that one among them."""
    room = max(room, 1)
    first = max(0, min(at - room // 2, len(lines) - room))
    return lines[first : first + room]


def _item(place: int, item: Item, chosen: bool, size: Size) -> Line:
    number = f"{place + 1}" if place < 9 else " "
    about = f" · {item.about}" if item.about else ""
    text = f"{'>' if chosen else ' '} {number}  {item.label}{about}"
    return Line(padded(clean(text), size.columns), CHOSEN if chosen else PLAIN)


def _form(page: Form, size: Size) -> list[Line]:
    """On a small terminal what is filled in just now, and what is wrong with it: the rest scrolls, or has to go."""
    shown = page.shown()
    at = min(page.at, len(shown))
    lines = [_field(each, at == place, size) for place, each in enumerate(shown)]
    button = Line(f"{'>' if at == len(shown) else ' '} [ {page.button} ]", CHOSEN if at == len(shown) else PLAIN)
    error = _prose((f"! {page.error}",), size, WARN) if page.error else []
    intro = _prose(page.intro, size)
    roomy = [
        *_heading(page.title),
        *intro,
        *([Line()] if intro else []),
        *lines,
        Line(),
        button,
        *([Line()] if error else []),
        *error,
    ]
    if len(roomy) <= size.rows:
        return roomy
    head = [Line(page.title, STRONG), *intro]
    error = error[: max(size.rows - 2, 0)]
    head = head if size.rows - len(head) - len(error) >= LEAST_FIELDS else head[:1]
    return [*head, *_around([*lines, button], at, size.rows - len(head) - len(error)), *error]


def _field(field: Field, at: bool, size: Size) -> Line:
    mark, room = ">" if at else " ", max(size.columns - LABEL - 8, 4)
    if field.choices:
        words = dict(field.choices).get(field.value, field.value)
        shown = f"< {cut(clean(words), max(room - 1, 1))} >"
    else:
        shown = tail("*" * len(field.value) if field.secret else clean(field.value), room) + ("_" if at else "")
    return Line(f"{mark} {padded(field.label, LABEL + 2)} {shown}", STRONG if at else PLAIN)


def _confirm(page: Confirm, size: Size) -> list[Line]:
    ask = [Line(f"Type {page.word} to go on:", STRONG), Line(f"> {tail(clean(page.typed), size.columns - 4)}_")]
    if page.wrong:
        ask.append(Line("! That is something else. Nothing was done.", WARN))
    roomy = [*_heading(page.title), *_prose(page.lines, size), Line(), *ask]
    if len(roomy) <= size.rows:
        return roomy
    said = _prose(page.lines[page.first :], size)
    room = max(size.rows - len(ask) - 2, 0)
    more = "Down: more" if len(said) > room else "Up: what is above" if page.first else ""
    return [
        Line(ends(page.title, more, size.columns), STRONG),
        *said[:room],
        *[Line()] * (room - len(said)),
        Line(),
        *ask,
    ]


# -- reading and waiting


def _reader(page: Reader, size: Size) -> list[Line]:
    room, count = max(size.rows - 2, 1), len(page.lines)
    end = max(count - page.back, min(room, count))
    place = f"{end} of {count} lines"
    lines = [Line(each) for each in page.lines[max(end - room, 0) : end]]
    return [Line(), Line(ends(page.title, place, size.columns), STRONG), *lines]


def _busy(page: Busy, size: Size) -> list[Line]:
    lines = [*_heading(page.title or "Please wait"), *_prose((page.message or "Please wait.",), size)]
    if page.part is None:
        return lines
    room = max(min(size.columns - 8, 60), 4)
    full = round(room * max(0.0, min(page.part, 1.0)))
    return [*lines, Line(), Line(f"[{'#' * full}{'.' * (room - full)}] {page.part:4.0%}")]


def _trial(page: Trial, facts: Facts, size: Size) -> list[Line]:
    ask = f"Does the network work? In {_left(facts, page.until)} the settings of before come back by themselves."
    where = facts.urls or ("no address yet",)
    lines = [*_heading("The new settings are in use"), *_prose(tuple(f"  {each}" for each in page.lines), size), Line()]
    lines += [*_labelled("Console", list(where)), Line(), *_prose((ask,), size), Line()]
    typed = Line(f"> {tail(clean(page.typed), size.columns - 4)}_")
    return [*lines, Line(f"Type {KEEP_WORD} to keep them:", STRONG), typed]
