"""Pages on which something is chosen, filled in, or typed to be agreed to. Pure."""

from appliance.screen.blocks import LABEL, around, heading, prose
from appliance.screen.pages import Confirm, Field, Form, Item, Menu
from appliance.screen.text import CHOSEN, PLAIN, STRONG, WARN, Line, Size, clean, cut, ends, padded, tail

LEAST_FIELDS = 6
"""Lines of a form that are seen at once, before what stands above them goes."""


def menu(page: Menu, size: Size) -> list[Line]:
    """What there is to choose, that one in sight which is chosen."""
    head = [*heading(page.title), *prose(page.intro, size), *([Line()] if page.intro else [])]
    # However much there is to say, some of what can be chosen is in sight.
    head = head[: max(size.rows - min(len(page.items), 4), 1)]
    items = [_item(place, each, page.at == place, size) for place, each in enumerate(page.items)]
    return [*head, *around(items, page.at, size.rows - len(head))]


def _item(place: int, item: Item, chosen: bool, size: Size) -> Line:
    number = f"{place + 1}" if place < 9 else " "
    about = f" · {item.about}" if item.about else ""
    text = f"{'>' if chosen else ' '} {number}  {item.label}{about}"
    return Line(padded(clean(text), size.columns), CHOSEN if chosen else PLAIN)


def form(page: Form, size: Size) -> list[Line]:
    """On a small terminal what is filled in just now, and what is wrong with it: the rest scrolls, or has to go."""
    shown = page.shown()
    at = min(page.at, len(shown))
    lines = [_field(each, at == place, size) for place, each in enumerate(shown)]
    button = Line(f"{'>' if at == len(shown) else ' '} [ {page.button} ]", CHOSEN if at == len(shown) else PLAIN)
    error = prose((f"! {page.error}",), size, WARN) if page.error else []
    intro = prose(page.intro, size)
    roomy = [
        *heading(page.title),
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
    return [*head, *around([*lines, button], at, size.rows - len(head) - len(error)), *error]


def _field(field: Field, at: bool, size: Size) -> Line:
    mark, room = ">" if at else " ", max(size.columns - LABEL - 8, 4)
    if field.choices:
        words = dict(field.choices).get(field.value, field.value)
        shown = f"< {cut(clean(words), max(room - 1, 1))} >"
    else:
        shown = tail("*" * len(field.value) if field.secret else clean(field.value), room) + ("_" if at else "")
    return Line(f"{mark} {padded(field.label, LABEL + 2)} {shown}", STRONG if at else PLAIN)


def confirm(page: Confirm, size: Size) -> list[Line]:
    """What it means, and the word to type."""
    ask = [Line(f"Type {page.word} to go on:", STRONG), Line(f"> {tail(clean(page.typed), size.columns - 4)}_")]
    if page.wrong:
        ask.append(Line("! That is something else. Nothing was done.", WARN))
    roomy = [*heading(page.title), *prose(page.lines, size), Line(), *ask]
    if len(roomy) <= size.rows:
        return roomy
    said = prose(page.lines[page.first :], size)
    room = max(size.rows - len(ask) - 2, 0)
    more = "Down: more" if len(said) > room else "Up: what is above" if page.first else ""
    return [
        Line(ends(page.title, more, size.columns), STRONG),
        *said[:room],
        *[Line()] * (room - len(said)),
        Line(),
        *ask,
    ]
