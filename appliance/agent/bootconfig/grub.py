"""The default entry of a grub.cfg (pure). GNU GRUB manual, "Shell-like scripting".

Not a GRUB: conditions are not decided, both branches are read. What generators write is understood: entries
in menus, the default by number, title or id, saved defaults, variables in command lines.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .entry import BootEntry

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_TOKEN = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\]+""")
LINUX = ("linux", "linuxefi", "linux16")
INITRD = ("initrd", "initrdefi", "initrd16")
ID_OPTIONS = ("--id", "$menuentry_id_option")
"""What stands before the id of a menu entry; the second is GRUB's own way to stay compatible with old ones."""


@dataclass
class _Menu:
    title: str = ""
    id: str = ""
    entries: "list[_Menu]" = field(default_factory=list)
    linux: list[str] = field(default_factory=list)
    initrds: list[str] = field(default_factory=list)


def default_entry(text: str, environment: Mapping[str, str]) -> BootEntry | None:
    """What GRUB would boot by itself; `environment` is its grubenv. None when there is no Linux entry."""
    top, variables, defaults = _parse(text, environment)
    chosen = None
    for default in reversed(defaults):
        wanted = expand(default, variables)
        if wanted:
            chosen = _choose(top, wanted)
            break
    return _entry(chosen or _first(top), variables)


def parse_grubenv(text: str) -> dict[str, str]:
    """Variables of a grubenv file, 1,024 bytes filled up with `#`."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines if "=" in line)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with its variables replaced; unknown ones are empty, as in GRUB."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def words(line: str) -> list[str]:
    """The words of one line, without their quotes."""
    joined: list[str] = []
    end = -1
    for found in _TOKEN.finditer(line):
        if found[0].startswith("#") and found.start() != end:
            break
        piece = _unquoted(found[0])
        if found.start() == end and joined:
            joined[-1] += piece
        else:
            joined.append(piece)
        end = found.end()
    return joined


def _unquoted(token: str) -> str:
    if token[0] == "'":
        return token[1:-1]
    if token[0] == '"':
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token[1:] if token[0] == "\\" else token


def _parse(text: str, environment: Mapping[str, str]) -> tuple[_Menu, dict[str, str], list[str]]:
    top = _Menu()
    variables = dict(environment)
    defaults: list[str] = []
    open_menus: list[tuple[_Menu, int]] = [(top, -1)]
    depth = 0
    for line in _lines(text):
        said = words(line)
        if said[0] in ("menuentry", "submenu") and said[-1] == "{":
            menu = _new_menu(said)
            open_menus[-1][0].entries.append(menu)
            open_menus.append((menu, depth))
        elif said[0] == "set" and len(said) > 1:
            _assign(said[1], variables, defaults)
        elif said[0] in LINUX:
            open_menus[-1][0].linux = said[1:]
        elif said[0] in INITRD:
            open_menus[-1][0].initrds += said[1:]
        depth += said.count("{") - said.count("}")
        while len(open_menus) > 1 and depth <= open_menus[-1][1]:
            open_menus.pop()
    return top, variables, defaults


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if words(line):
            yield line


def _assign(assignment: str, variables: dict[str, str], defaults: list[str]) -> None:
    name, _, value = assignment.partition("=")
    if name == "default":
        defaults.append(value)
    elif name and value:
        variables[name] = expand(value, variables)


def _new_menu(said: list[str]) -> _Menu:
    identity = next((said[at + 1] for at, word in enumerate(said[:-1]) if word in ID_OPTIONS), "")
    return _Menu(title=said[1] if len(said) > 2 else "", id=identity)


def _choose(menu: _Menu, wanted: str) -> _Menu | None:
    """The entry that `wanted` names: a number from 0, a title or an id, `>` between levels."""
    for part in wanted.split(">"):
        found = _named(menu, part)
        if found is None:
            return None
        menu = found
    return menu


def _named(menu: _Menu, name: str) -> _Menu | None:
    if name.isdigit():
        return menu.entries[int(name)] if int(name) < len(menu.entries) else None
    return next((entry for entry in menu.entries if name in (entry.title, entry.id)), None)


def _first(menu: _Menu) -> _Menu | None:
    """The first entry that boots a Linux, at any level."""
    if menu.linux:
        return menu
    return next((found for entry in menu.entries if (found := _first(entry))), None)


def _entry(menu: _Menu | None, variables: Mapping[str, str]) -> BootEntry | None:
    chosen = _first(menu) if menu else None
    if chosen is None:
        return None
    said = [expand(word, variables) for word in chosen.linux]
    initrds = [_path(expand(word, variables)) for word in chosen.initrds]
    arguments = " ".join(" ".join(said[1:]).split())
    return BootEntry(chosen.title, _path(said[0]), tuple(path for path in initrds if path), arguments)


def _path(name: str) -> str:
    """A file name without the device before it: `(hd0,gpt2)/vmlinuz`, or `/vmlinuz` after `$root` was empty."""
    return re.sub(r"^\([^)]*\)", "", name)
