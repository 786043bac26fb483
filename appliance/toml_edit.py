"""Changes single keys in the text of a TOML file: comments, order, and what we do not know stay as they are. Pure.

``tomllib`` itself says where a statement ends: it is the fewest lines that can be read. What comes out is read again,
and has to be what was meant; where a key stands in a way that this cannot change (an inline table, a dotted key),
nothing is changed and that is said. (tomlkit 0.15 puts a new key behind the comment that belongs to the next section,
and so tears the comments of whoever writes the file by hand away from what they are about.)
"""

import copy
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from appliance.errors import Conflict

_BARE = re.compile(r"[A-Za-z0-9_-]+")
Value = str | int | bool | tuple[str, ...]
"""What a key can be given."""


@dataclass(frozen=True, slots=True)
class Put:
    """A key has this value from now on; None: it stands there no more."""

    section: str
    key: str
    value: Value | None
    index: int = 0
    """Which of the sections, where they may be many: ``[[subnet]]``."""
    table: str = ""
    """The key stands in this table of the section: ``[subnet.options]``."""


@dataclass(frozen=True, slots=True)
class Add:
    """Another ``[[section]]``, at the end."""

    section: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Remove:
    """One ``[[section]]`` goes, with the tables in it."""

    section: str
    index: int


Edit = Put | Add | Remove


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with the changes in it, one after the other; ``text`` is right TOML.

    Raises Conflict ``file-form`` where it is written in a way that only hands can change.
    """
    for each in edits:
        text = _edited(text, each)
    return text


def _edited(text: str, edit: Edit) -> str:
    wanted = _meant(tomllib.loads(text), edit)
    match edit:
        case Put():
            after = _put(_statements(text), edit)
        case Add():
            after = [_ended(text), "\n" if text.strip() else "", _section(f"[[{edit.section}]]", edit.values)]
        case Remove():
            after = _removed(_statements(text), edit)
    changed = "".join(after)
    if _read(changed) != wanted:
        where = f"[{edit.section}]" + (f" {edit.key}" if isinstance(edit, Put) else "")
        raise Conflict("file-form", f"{where} is written in a way that only hands can change", "change it in the file")
    return changed


def _read(text: str) -> dict[str, Any] | None:
    """What it says; None where it is no TOML."""
    try:
        return tomllib.loads(text)
    except ValueError:
        return None


def _meant(tables: dict[str, Any], edit: Edit) -> dict[str, Any]:
    """What the file has to say afterwards."""
    after = copy.deepcopy(tables)
    match edit:
        case Add():
            after.setdefault(edit.section, []).append({key: _plain(each) for key, each in edit.values.items()})
        case Remove():
            del after[edit.section][edit.index]
            if not after[edit.section]:
                del after[edit.section]
        case Put():
            _mean(after, edit)
    return after


def _mean(tables: dict[str, Any], edit: Put) -> None:
    found = tables.get(edit.section)
    if found is None and edit.value is None:
        return
    table = found[edit.index] if isinstance(found, list) else tables.setdefault(edit.section, {})
    if edit.table:
        if edit.value is None and edit.table not in table:
            return
        table = table.setdefault(edit.table, {})
    table.pop(edit.key, None)
    if edit.value is not None:
        table[edit.key] = _plain(edit.value)


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _statements(text: str) -> list[str]:
    """Heads, keys with their values, comments and empty lines, each with its end of line."""
    found, waiting = [], ""
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        waiting += line
        if _read(waiting) is not None:
            found.append(waiting)
            waiting = ""
    return [*found, waiting] if waiting else found


def _is_head(statement: str) -> bool:
    return statement.lstrip().startswith("[")


def _path(head: str) -> tuple[str, ...]:
    """``[subnet.options]`` -> ("subnet", "options")"""
    inner, names = _read(head) or {}, list[str]()
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))
        names.append(name)
        inner = inner[0] if isinstance(inner, list) else inner
    return tuple(names)


def _key(statement: str) -> str:
    """Of a key with its value; empty for heads, comments, empty lines."""
    return "" if _is_head(statement) else next(iter(_read(statement) or {}), "")


def _place(statements: Sequence[str], section: str, index: int) -> range | None:
    """The section's head and all up to the next one; None where it has no head."""
    heads = [at for at, each in enumerate(statements) if _is_head(each)]
    of = [at for at in heads if _path(statements[at]) == (section,)]
    if index >= len(of):
        return None
    return range(of[index], next((at for at in heads if at > of[index]), len(statements)))


def _put(statements: list[str], edit: Put) -> list[str]:
    place = _place(statements, edit.section, edit.index)
    if place is not None and edit.table:
        return _put_in_table(statements, edit, place)
    if place is None:
        text = "".join(statements)
        return statements if edit.value is None else _appended(text, edit.section, {edit.key: edit.value})
    return _put_at(statements, edit, place)


def _put_in_table(statements: list[str], edit: Put, place: range) -> list[str]:
    """In the table of the section, which follows its own keys where it is new."""
    for head in _heads_inside(statements, place, edit.section):
        if _path(statements[head]) == (edit.section, edit.table):
            end = next((at for at in range(head + 1, len(statements)) if _is_head(statements[at])), len(statements))
            return _put_at(statements, edit, range(head, end))
    if edit.value is None:
        return statements
    end = _behind_keys(statements, place)
    new = ["\n", _section(f"[{edit.section}.{edit.table}]", {edit.key: edit.value})]
    return [*map(_ended, statements[:end]), *new, *statements[end:]]


def _heads_inside(statements: Sequence[str], place: range, section: str) -> list[int]:
    """Of the tables in one section, which come right after its own keys."""
    heads = [at for at in range(place.stop, len(statements)) if _is_head(statements[at])]
    return list(takewhile(lambda at: _inside(statements[at], section), heads))


def _behind_keys(statements: Sequence[str], place: range) -> int:
    return 1 + max((at for at in place if _key(statements[at])), default=place.start)


def _put_at(statements: list[str], edit: Put, place: range) -> list[str]:
    at = next((at for at in place if _key(statements[at]) == edit.key), None)
    if at is not None:
        there = [] if edit.value is None else [_with_value(statements[at], edit.value)]
        return [*statements[:at], *there, *statements[at + 1 :]]
    if edit.value is None:
        return statements
    end = _behind_keys(statements, place)
    return [*map(_ended, statements[:end]), _line(edit.key, edit.value), *statements[end:]]


def _appended(text: str, section: str, values: Mapping[str, Value]) -> list[str]:
    return [_ended(text), "\n" if text.strip() else "", _section(f"[{section}]", values)]


def _section(head: str, values: Mapping[str, Value]) -> str:
    return "".join([f"{head}\n", *(_line(key, value) for key, value in values.items())])


def _line(key: str, value: Value) -> str:
    return f"{key if _BARE.fullmatch(key) else _written(key)} = {_written(value)}\n"


def _written(value: Value) -> str:
    # JSON's strings, numbers, booleans and lists are also TOML's, but for pairs of surrogates.
    return json.dumps(_plain(value), ensure_ascii=False)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _with_value(statement: str, value: Value) -> str:
    """Key, blanks around it, and the comment behind it stay."""
    key, _, _ = statement.partition("=")
    return f"{key}= {_written(value)}{_behind(statement)}"


def _behind(statement: str) -> str:
    """The comment after a value with the blanks before it, and the end of the line."""
    said = _read(statement)
    for found in re.finditer(r"[ \t]*#", statement):
        if _read(statement[: found.start()]) == said:
            return statement[found.start() :]
    return statement[len(statement.rstrip()) :]


def _removed(statements: list[str], edit: Remove) -> list[str]:
    """The comments behind its last key belong to what comes next."""
    place = _place(statements, edit.section, edit.index)
    if place is None:
        return statements
    heads = (at for at in range(place.stop, len(statements)) if _is_head(statements[at]))
    inside = _heads_inside(statements, place, edit.section)
    end = next((at for at in heads if at not in inside), len(statements))
    while not (_is_head(statements[end - 1]) or _key(statements[end - 1])):
        end -= 1
    before, after = statements[: place.start], statements[end:]
    return [*(before[:-1] if _blank(before[-1:]) and _blank(after[:1]) else before), *after]


def _inside(head: str, section: str) -> bool:
    path = _path(head)
    return len(path) > 1 and path[0] == section


def _blank(statements: Sequence[str]) -> bool:
    return not "".join(statements).strip()
