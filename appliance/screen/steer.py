"""From key to page and order: the whole conversation with whoever stands before the screen. Pure."""

from dataclasses import dataclass, replace
from typing import assert_never

from appliance.screen import menu, networks
from appliance.screen.facts import Facts
from appliance.screen.keys import Key, Position
from appliance.screen.orders import (
    BackupsSeen,
    Cancel,
    DisksSeen,
    Failed,
    Finished,
    KeepNetwork,
    LogRead,
    NetworkSeen,
    NetworkTried,
    Order,
    Outcome,
    Progress,
    Repaint,
    RevertNetwork,
    UsersSeen,
)
from appliance.screen.pages import Busy, Code, Confirm, Form, Front, Menu, Page, Reader, Told, Trial
from appliance.screen.text import Size, clean, wrapped

LONGEST = 200
"""Characters that fit into a line of a form."""


@dataclass(frozen=True, slots=True)
class Ui:
    """The pages that are open, the one in sight last."""

    pages: tuple[Page, ...] = (Front(),)

    @property
    def top(self) -> Page:
        """The page in sight."""
        return self.pages[-1]

    def pushed(self, page: Page) -> "Ui":
        """Another page over this one."""
        return Ui((*self.pages, page))

    def popped(self) -> "Ui":
        """Back to the page below."""
        return Ui(self.pages[:-1] or (Front(),))

    def swapped(self, page: Page) -> "Ui":
        """Another page in the place of this one."""
        return Ui((*self.pages[:-1], page))


@dataclass(frozen=True, slots=True)
class Step:
    """What a key leads to."""

    ui: Ui
    order: Order | None = None


def press(ui: Ui, key: Key, facts: Facts) -> Step:
    """A key was pressed."""
    page = ui.top
    if isinstance(key, Position):
        return Step(ui)
    if key == "ctrl-l":
        return Step(ui, Repaint())
    if isinstance(page, Busy):
        return _on_busy(ui, page, key)
    if isinstance(page, Trial):
        return _on_trial(ui, page, key)
    if key in ("esc", "ctrl-c"):
        return Step(ui.popped())
    return _on_page(ui, page, key, facts)


def _on_page(ui: Ui, page: Page, key: str, facts: Facts) -> Step:
    match page:
        case Front():
            return _on_front(ui, key, facts)
        case Menu():
            return _on_menu(ui, page, key, facts)
        case Form():
            return _on_form(ui, page, key)
        case Confirm():
            return _on_confirm(ui, page, key)
        case Reader():
            return Step(ui.swapped(_scrolled(page, key)))
        case Told() | Code():
            return Step(ui.popped() if key in ("enter", " ", "q") else ui)
        case Busy() | Trial():
            return Step(ui)
        case _:
            assert_never(page)


def _on_front(ui: Ui, key: str, facts: Facts) -> Step:
    if key in ("enter", " ", "m", "M"):
        return Step(ui.pushed(menu.main(facts)))
    if key in ("q", "Q") and facts.setup:
        return Step(ui.pushed(Code()))
    if key in ("i", "I") and facts.may_install:
        return _chosen(ui, "install", None, facts)
    return Step(ui)


def _on_busy(ui: Ui, page: Busy, key: str) -> Step:
    if key in ("esc", "ctrl-c") and page.may_cancel:
        return Step(ui.swapped(replace(page, message="stopping", may_cancel=False)), Cancel())
    return Step(ui)


def _on_trial(ui: Ui, page: Trial, key: str) -> Step:
    if key in ("esc", "ctrl-c"):
        return _begun(ui.popped(), RevertNetwork(), "Taking the settings back")
    if key != "enter":
        return Step(ui.swapped(replace(page, typed=_edited(page.typed, key))))
    if page.typed.strip() == menu.KEEP_WORD:
        return _begun(ui.popped(), KeepNetwork(), "Keeping the settings")
    return Step(ui.swapped(replace(page, typed="")))


def _on_menu(ui: Ui, page: Menu, key: str, facts: Facts) -> Step:
    moves = {"up": -1, "backtab": -1, "down": 1, "tab": 1, "pgup": -len(page.items), "pgdn": len(page.items)}
    if key in moves:
        at = page.at + moves[key]
        wraps = abs(moves[key]) == 1 and page.items
        return Step(ui.swapped(replace(page, at=at % len(page.items) if wraps else _within(at, len(page.items)))))
    if key.isdecimal() and key != "0" and int(key) <= len(page.items):
        page = replace(page, at=int(key) - 1)
        ui, key = ui.swapped(page), "enter"
    if key != "enter" or not page.items:
        return Step(ui)
    item = page.items[page.at]
    if item.refused:
        return Step(ui.pushed(Told(item.label, (f"This cannot be chosen: {item.refused}.",), good=False)))
    return _chosen(ui, item.choice, item.value, facts)


def _chosen(ui: Ui, choice: str, value: object, facts: Facts) -> Step:
    meant = menu.CHOICES[choice](value, facts)
    return _begun(ui, meant.order, meant.title) if isinstance(meant, menu.Begin) else Step(ui.pushed(meant))


def _begun(ui: Ui, order: Order, title: str) -> Step:
    return Step(ui.pushed(Busy(title, order, may_cancel=menu.may_be_left(order))), order)


def _on_form(ui: Ui, form: Form, key: str) -> Step:
    shown = form.shown()
    at = min(form.at, len(shown))
    moves = {"up": -1, "backtab": -1, "down": 1, "tab": 1}
    if key in moves:
        return Step(ui.swapped(replace(form, at=(at + moves[key]) % (len(shown) + 1))))
    if at == len(shown):
        return _sent(ui, form) if key in ("enter", " ") else Step(ui)
    if key == "enter":
        return Step(ui.swapped(replace(form, at=at + 1)))
    field = shown[at]
    value = _other_choice(field.value, field.choices, key) if field.choices else _edited(field.value, key)
    return Step(ui.swapped(form.with_value(field.name, value)) if value != field.value else ui)


def _other_choice(value: str, choices: tuple[tuple[str, str], ...], key: str) -> str:
    values = [each for each, _ in choices]
    at = values.index(value) if value in values else 0
    turn = {"left": -1, "right": 1, " ": 1}.get(key, 0)
    return values[(at + turn) % len(values)]


def _edited(value: str, key: str) -> str:
    if key == "backspace":
        return value[:-1]
    if key == "ctrl-u":
        return ""
    return value + key if len(key) == 1 and len(value) < LONGEST else value


def _sent(ui: Ui, form: Form) -> Step:
    """The form is checked by whoever reads it; what is wrong stands in it afterwards."""
    read = menu.FORMS[form.sends](form)
    if isinstance(read, Failed):
        return Step(ui.swapped(_corrected(form, read)))
    if isinstance(read, Confirm):
        return Step(ui.pushed(read))
    return _begun(ui, read, form.title)


def _corrected(form: Form, failed: Failed) -> Form:
    said = f"{failed.message}; {failed.hint}" if failed.hint else failed.message
    names = [each.name for each in form.shown()]
    at = names.index(failed.field) if failed.field in names else form.at
    kept = tuple(replace(each, value="") if each.secret else each for each in form.fields)
    return replace(form, fields=kept, error=said, at=at)


def _on_confirm(ui: Ui, page: Confirm, key: str) -> Step:
    moves = {"up": -1, "pgup": -5, "down": 1, "pgdn": 5}
    if key in moves:
        return Step(ui.swapped(replace(page, first=_within(page.first + moves[key], len(page.lines)))))
    if key != "enter":
        return Step(ui.swapped(replace(page, typed=_edited(page.typed, key), wrong=False)))
    if page.typed.strip() == page.word:
        return _begun(ui.popped(), page.order, page.title)
    return Step(ui.swapped(replace(page, typed="", wrong=True)))


def _scrolled(page: Reader, key: str) -> Reader:
    most = max(len(page.lines) - page.room, 0)
    steps = {
        "up": 1,
        "down": -1,
        "pgup": page.room - 1,
        "pgdn": 1 - page.room,
        " ": 1 - page.room,
        "home": most,
        "end": -most,
    }
    return replace(page, back=_within(page.back + steps.get(key, 0), most + 1))


def _within(at: int, count: int) -> int:
    return max(0, min(at, count - 1))


# -- what came of an order


def came(ui: Ui, outcome: Outcome, size: Size) -> Ui:
    """The page that shows it, in the place of the one that waited; who left that page is not disturbed."""
    page = ui.top
    if not isinstance(page, Busy):
        return ui
    if isinstance(outcome, Progress):
        return ui.swapped(replace(page, part=outcome.part, message=outcome.message))
    if isinstance(outcome, Failed):
        return _after_failure(ui.popped(), page, outcome)
    if isinstance(outcome, Finished):
        done = _above_forms(ui.popped())
        return done.pushed(Told(page.title, outcome.lines)) if outcome.lines else done
    if isinstance(outcome, NetworkTried):
        return Ui(ui.pages[:1]).pushed(Trial(outcome.until, outcome.told))
    return ui.swapped(_shown(outcome, page, size))


def _after_failure(ui: Ui, busy: Busy, failed: Failed) -> Ui:
    if isinstance(ui.top, Form):
        return ui.swapped(_corrected(ui.top, failed))
    lines = tuple(each for each in (failed.message, failed.hint) if each)
    return ui.pushed(Told(busy.title, lines, good=False))


def _above_forms(ui: Ui) -> Ui:
    """What was filled in is done with, and so is the list that it was chosen from: back to the page before all."""
    return Ui(ui.pages[:1])


def _shown(outcome: Outcome, busy: Busy, size: Size) -> Page:
    match outcome:
        case NetworkSeen():
            return networks.menu(outcome)
        case UsersSeen():
            return menu.users(outcome)
        case LogRead():
            return _log(outcome, size)
        case BackupsSeen():
            return menu.backups(outcome)
        case DisksSeen():
            return menu.disks(outcome)
        case _:
            return Told(busy.title, ("Done.",))


def _log(read: LogRead, size: Size) -> Reader:
    room, columns = max(size.rows - 4, 1), max(size.columns - 2, 8)
    lines = tuple(part for each in read.lines for part in wrapped(clean(each), columns))
    return Reader(f"Log of {read.unit}", lines or ("There is nothing in it.",), room)


def passed(ui: Ui, facts: Facts) -> Ui:
    """Time went on: a trial that nobody kept has ended."""
    page = ui.top
    if isinstance(page, Trial) and facts.at >= page.until:
        lines = ("Nobody kept the new settings in time, so those of before are in force again.",)
        return ui.swapped(Told(networks.TITLE, lines, good=False))
    return ui


def left_alone(ui: Ui) -> Ui:
    """Nobody has pressed a key for long: back to the front, with all that was typed forgotten."""
    return ui if isinstance(ui.top, Busy | Trial) else Ui(ui.pages[:1])
