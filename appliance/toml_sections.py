"""TOML files of ours, read into frozen dataclasses: errors name file, line, key, and what would be right. Pure."""

import dataclasses
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from appliance.errors import ApplianceError


@dataclass(frozen=True, slots=True)
class Language:
    """What a kind of file may hold, and how its errors are called."""

    code: str
    """Begins the codes of its errors: ``config`` makes ``config-syntax`` and ``config-invalid``."""
    error: type[ApplianceError]
    sections: Mapping[str, type[Any]]
    """A frozen dataclass for each section."""
    listed: frozenset[str] = frozenset()
    """Those that may stand there any number of times: ``[[subnet]]``."""


class SectionReader:
    """Turns the text of a file into sections, and knows on which line a key stands."""

    def __init__(self, text: str, name: str, language: Language) -> None:
        """``name`` is the file's name for messages."""
        self._text, self._lines, self._name, self._language = text, text.splitlines(), name, language

    def sections(self) -> dict[str, Any]:
        """The sections that are there, a tuple of those that are listed; raises the error of the language."""
        try:
            tables = tomllib.loads(self._text)
        except (ValueError, RecursionError) as error:  # besides TOMLDecodeError: numbers and lists beyond all bounds
            message = f"{self._name}: {error}"
            raise self._language.error(
                f"{self._language.code}-syntax", message, "the file is TOML: key = value"
            ) from error
        for key in tables:
            if key not in self._language.sections:
                raise self.error(key, None, "is unknown", f"sections are {', '.join(self._language.sections)}")
        return {
            section: self._whole(section, kind, tables[section])
            for section, kind in self._language.sections.items()
            if section in tables
        }

    def _whole(self, section: str, kind: type[Any], found: Any) -> Any:
        if section in self._language.listed:
            listed = self._require(found, list, section, None, f"write [[{section}]], with two brackets")
            return tuple(self._section(kind, table, section, number) for number, table in enumerate(listed))
        table = self._require(found, dict, section, None, f"write [{section}] on a line of its own")
        return self._section(kind, table, section, 0)

    def _section(self, kind: type[Any], table: dict[str, Any], section: str, index: int) -> Any:
        fields = {each.name: each for each in dataclasses.fields(kind)}
        for key in table:
            if key not in fields:
                raise self.error(section, key, "is unknown", f"keys here are {', '.join(fields)}", index)
        hints = typing.get_type_hints(kind)
        values = {key: self._value(hints[key], value, section, key, index) for key, value in table.items()}
        missing = [n for n, f in fields.items() if n not in values and _required(f)]
        if missing:
            raise self.error(section, None, f"lacks the key {missing[0]}", f'add {missing[0]} = "..."', index)
        return kind(**values)

    def _value(self, hint: Any, value: Any, section: str, key: str, index: int) -> Any:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (types.UnionType, typing.Union):
            hint = next(each for each in arguments if each is not types.NoneType)
            return self._value(hint, value, section, key, index)
        if origin is Literal:
            if value not in arguments:
                raise self.error(section, key, f"cannot be {value!r}", f"use one of {', '.join(arguments)}", index)
            return value
        if origin is tuple:
            items = self._require(value, list, section, key, "write a list: [...]", index)
            return tuple(self._value(arguments[0], item, section, key, index) for item in items)
        if origin is Mapping:
            table = self._require(value, dict, section, key, f"write [{section}.{key}] on a line of its own", index)
            return {name: self._as_text(each, f"{section}.{key}", name, index) for name, each in table.items()}
        if hint is Path:
            text = self._require(value, str, section, key, 'write a path in quotes: "/..."', index)
            return self._absolute(text, section, key, index)
        wants = {str: 'text in quotes: "..."', int: "a whole number", bool: "true or false"}[hint]
        return self._require(value, hint, section, key, f"write {wants}", index)

    def _as_text(self, value: Any, section: str, key: str, index: int) -> str:
        """A value of any simple type as the text of it; lists with commas between."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return ", ".join(self._as_text(each, section, key, index) for each in value)
        if not isinstance(value, str | int):
            raise self.error(section, key, f"has the wrong type, {type(value).__name__}", 'write "..."', index)
        return str(value)

    def _absolute(self, text: str, section: str, key: str, index: int) -> Path:
        path = Path(text)
        if "\0" in text:
            raise self.error(section, key, "has a NUL character in it", "name a file", index)
        if not path.is_absolute():
            raise self.error(section, key, f"is not an absolute path: {text!r}", "begin it with /", index)
        return path

    def _require(self, value: Any, kind: type, section: str, key: str | None, hint: str, index: int = 0) -> Any:
        if type(value) is not kind:  # bool is an int to isinstance
            raise self.error(section, key, f"has the wrong type, {type(value).__name__}", hint, index)
        return value

    def error(self, section: str, key: str | None, wrong: str, right: str, index: int = 0) -> ApplianceError:
        """The error about a key, or about a section where that is None; ``index`` counts listed sections from 0."""
        line = self._line(section, key, index)
        place = f"[{section}]" if key is None else f"[{section}] {key}"
        message = f"{self._name}:{line}: {place} {wrong}"
        return self._language.error(f"{self._language.code}-invalid", message, right, key or section)

    def _line(self, section: str, key: str | None, index: int) -> int:
        """Line number of the key, or of its section's head; 1 where TOML hides it in an inline table."""
        if "." in section:
            return self._inner_line(section, key, index)
        head = re.compile(rf"\s*\[\[?\s*{re.escape(section)}\s*\]")
        any_head, count, at = re.compile(r"\s*\["), -1, 1
        for number, line in enumerate(self._lines, 1):
            if head.match(line):
                count, at = count + 1, number if count + 1 == index else at
            elif count == index and not any_head.match(line):
                if key is not None and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
                    return number
            elif count == index:
                break
            elif key is None and re.match(rf"\s*{re.escape(section)}\b", line):
                return number
        return at

    def _inner_line(self, section: str, key: str | None, index: int) -> int:
        """The same for a table inside a section: ``[subnet.options]`` of that one, or the key of an inline table."""
        outer, _, name = section.partition(".")
        head, next_head = re.compile(rf"\s*\[\s*{re.escape(section)}\s*\]"), re.compile(r"\s*\[")
        wanted = re.compile(rf"""\s*["']?{re.escape(key or "")}["']?\s*=""")
        at = 0
        for number, line in enumerate(self._lines[(start := self._line(outer, None, index)) :], start + 1):
            if at and wanted.match(line):
                return number
            if next_head.match(line):
                if at or not head.match(line):
                    break
                at = number
        return at or self._line(outer, name, index)


def _required(each: "dataclasses.Field[Any]") -> bool:
    return each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
