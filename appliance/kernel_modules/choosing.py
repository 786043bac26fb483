"""Which modules and firmware files of a full system a small one keeps. Pure."""

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Rule:
    """One line of a list: keep or drop what matches the pattern."""

    keep: bool
    pattern: str


def parse_rules(text: str) -> list[Rule]:
    """Rules of a list file: `+ pattern`, `- pattern`, comments and blank lines.

    Raises ValueError naming the line that is neither.
    """
    return [_rule(number, line) for number, line in enumerate(text.splitlines(), 1) if is_content(line)]


def is_content(line: str) -> bool:
    """Whether a line of a list file says something."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _rule(number: int, line: str) -> Rule:
    sign, _, pattern = line.strip().partition(" ")
    if sign not in ("+", "-") or not pattern.strip():
        raise ValueError(f"line {number}: expected '+ pattern' or '- pattern', got {line!r}")
    return Rule(sign == "+", pattern.strip())


def chosen(name: str, rules: Iterable[Rule]) -> bool:
    """Whether `name` is kept: the first rule that matches decides, none means no."""
    return next((rule.keep for rule in rules if fnmatch.fnmatchcase(name, rule.pattern)), False)


def parse_modules_dep(text: str) -> dict[str, frozenset[str]]:
    """`modules.dep` (modules.dep(5)) as module path -> paths that it needs."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {path.strip(): frozenset(needs.split()) for path, _, needs in pairs}


def module_name(path: str) -> str:
    """`kernel/drivers/net/tun.ko.xz` -> `drivers/net/tun`, the form that rules match."""
    return path.removeprefix("kernel/").partition(".ko")[0]


def modules_to_keep(dependencies: Graph, rules: list[Rule]) -> set[str]:
    """Paths of the modules that the rules choose, and of all that those need."""
    wanted = {path for path in dependencies if chosen(module_name(path), rules)}
    return closure(wanted, dependencies)


def closure(start: Iterable[str], graph: Graph) -> set[str]:
    """`start` and everything reachable from it."""
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting.extend(graph.get(node, ()))
    return reached


def firmware_to_keep(named: Iterable[str], available: Iterable[str]) -> set[str]:
    """Files of `available` that modules name; names may hold wildcards, files a compression suffix."""
    exact, patterns = set[str](), list[str]()
    for name in named:
        (patterns.append if "*" in name else exact.add)(name)
    return {file for file in available if _is_named(_uncompressed(file), exact, patterns)}


def _uncompressed(file: str) -> str:
    return file.removesuffix(".xz").removesuffix(".zst")


def _is_named(file: str, exact: set[str], patterns: list[str]) -> bool:
    return file in exact or any(fnmatch.fnmatchcase(file, pattern) for pattern in patterns)
