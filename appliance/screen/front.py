"""The first page, and the set-up link as a QR code. Pure."""

from dataclasses import replace

from appliance.screen import qr
from appliance.screen.blocks import LABEL, labelled, prose
from appliance.screen.facts import Facts, Service, setup_link, spaced_fingerprint, wall_time
from appliance.screen.text import PAPER, PLAIN, STRONG, WARN, Line, Size, cells, clean, cut, padded, wrapped


def front(facts: Facts, size: Size) -> list[Line]:
    """Where the console is, what runs, what happened last."""
    lines = [Line(), *_reached(facts, size), *_services(facts.services, size), Line()]
    room = size.rows - len(lines) - 1
    if room < 1 or not facts.events:
        return lines
    told = [f"{wall_time(facts, each.at)}  {each.text}" for each in facts.events[:room]]
    return [*lines, Line("Last events", STRONG), *(Line(cut(clean(each), size.columns)) for each in told)]


def _reached(facts: Facts, size: Size) -> list[Line]:
    room = max(size.columns - LABEL, 20)
    urls = facts.urls or tuple(wrapped(f"not reachable: {facts.no_address}", room))
    lines = labelled("Console", list(urls[:4]))
    if facts.fingerprint:
        lines += labelled("Fingerprint", _parted(spaced_fingerprint(facts.fingerprint), size.columns - LABEL))
    if facts.may_install:
        note = "This appliance runs from a stick. Press I to install it onto a disk."
        lines += labelled("Installer", wrapped(note, room))
    if facts.setup:
        link = setup_link(facts) or f"{facts.setup} (there is no address yet to open it at)"
        note = "Nobody has an account yet: open this link, which is good once. Q shows it as a QR code."
        if facts.setup_expired:
            note = "This link was good for a day, which is over. The menu makes a fresh one."
        lines += [replace(each, style=STRONG) for each in labelled("Set-up", wrapped(link, room))]
        lines += labelled("", wrapped(note, room))
    return lines


def _parted(fingerprint: str, columns: int) -> list[str]:
    """In lines of 32, 16, 8 or 4 bytes: nobody compares one whose end is missing."""
    bytes_each = next((count for count in (32, 16, 8) if count * 3 - 1 <= columns), 4)
    return [fingerprint[place : place + bytes_each * 3] for place in range(0, len(fingerprint), bytes_each * 3)]


def _services(services: tuple[Service, ...], size: Size) -> list[Line]:
    if not services:
        return []
    running = ", ".join(each.about for each in services if each.state == "running")
    lines = labelled("Running", wrapped(running or "nothing", max(size.columns - LABEL, 20)))
    for each in services:
        if each.state not in ("running", "stopped", "resting"):
            reason = f" ({each.reason})" if each.reason else ""
            style = WARN if each.state == "failed" else PLAIN
            lines.append(Line(f"{padded(each.state.capitalize(), LABEL)}{each.about}{reason}", style))
    if stopped := ", ".join(each.about for each in services if each.state == "stopped"):
        lines += labelled("Stopped", wrapped(stopped, max(size.columns - LABEL, 20)))
    return lines


def code(facts: Facts, size: Size) -> list[Line]:
    """The set-up link, to be opened with a telephone."""
    link = setup_link(facts)
    if not link:
        return prose(("There is no set-up link, or no address yet to open it at.",), size)
    drawn = qr.half_blocks(qr.modules(link))
    if size.ascii_only or len(drawn) > size.rows or cells(drawn[0]) > size.columns:
        why = "This terminal cannot show it" if size.ascii_only else "This terminal is too small for it"
        return [Line(), *prose((f"{why}. The link:",), size), Line(link, STRONG)]
    lines = [Line(each, PAPER) for each in drawn]
    return lines if len(lines) == size.rows else [*lines, Line(link, STRONG)]
