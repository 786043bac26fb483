"""NoCloud seeds: what users have cloud-init do at the first start of a system, checked as far as that can be. Pure.

Two texts make a seed: user data and network configuration (docs.cloud-init.io, "User data formats", "NoCloud",
"Networking config version 2"). What cloud-init is told of the instance itself is made by the agent. YAML is read as
events only, which cannot build anything: no object of a tag, and no forest of aliases.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.errors import Invalid

USER_DATA, NETWORK_CONFIG = "user_data", "network_config"
PARTS: Final[tuple[str, ...]] = (USER_DATA, NETWORK_CONFIG)
"""As fields are called."""
LONGEST = 64 << 10
"""Bytes of either, as UTF-8."""
DEEPEST = 50
"""Levels of YAML."""
CLOUD_CONFIG = "cloud-config"
BEGINNINGS: Final[tuple[tuple[str, str], ...]] = (
    ("#cloud-config-archive", "archive"),
    ("#cloud-config-jsonp", "JSON patch"),
    ("#cloud-config", CLOUD_CONFIG),
    ("#cloud-boothook", "boot hook"),
    ("#part-handler", "part handler"),
    ("#include-once", "include"),
    ("#include", "include"),
    ("#!", "script"),
)
"""What the first line of user data begins with, and what we call it then. Longer ones stand before shorter ones."""
TEMPLATE = "## template: jinja"
MIME = ("content-type: multipart/", "mime-version:")
TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "bool", "int", "float", "binary", "timestamp", "omap", "pairs", "set", "str", "seq", "map")
)
"""Those that cloud-init itself reads (PyYAML's safe loader)."""
LINKS = ("ethernets", "bonds", "bridges", "vlans", "wifis")
HINT = "begin with #cloud-config, with #! for a script, #include, ## template: jinja, or the head of a MIME multi-part"


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of one text of a seed without opening it."""

    kind: str
    """What it is, for people; of a network configuration ``version 2``."""
    bytes: int
    mark: str
    """The same for the same text, and says nothing of it to who lacks the key."""


def user_data(text: str) -> tuple[str, str]:
    """User data as it is to be kept, and what it is; raises Invalid ``user-data-invalid`` or ``user-data-long``."""
    text = _plain(text, USER_DATA)
    first, _, rest = text.partition("\n")
    if first.strip().lower() == TEMPLATE:
        kind = _kind(rest.partition("\n")[0])
        if kind is None:
            raise _wrong(USER_DATA, "a template needs the line that says what it makes", f"{TEMPLATE}, then {HINT}")
        return text, f"template of {kind}"
    kind = _kind(first)
    if kind is None:
        raise _wrong(USER_DATA, "its first line does not say to cloud-init what it is", HINT)
    if kind == CLOUD_CONFIG and not isinstance(_tree(text, USER_DATA), dict | None):
        raise _wrong(USER_DATA, "#cloud-config is followed by no mapping", "write lines such as  timezone: Etc/UTC")
    if kind == "archive" and not isinstance(_tree(text, USER_DATA), list):
        raise _wrong(
            USER_DATA, "#cloud-config-archive is followed by no list", "write its parts as a list, with - each"
        )
    return text, kind


def network_config(text: str) -> tuple[str, str]:
    """A network configuration of version 2, with or without the key ``network`` around it, and what it is.

    Raises Invalid ``network-config-invalid`` or ``network-config-long``.
    """
    text = _plain(text, NETWORK_CONFIG)
    tree = _tree(text, NETWORK_CONFIG)
    inner = tree.get("network", tree) if isinstance(tree, dict) else None
    if not isinstance(inner, dict):
        raise _wrong(NETWORK_CONFIG, "it is no mapping", "begin with  version: 2  and  ethernets:")
    if inner.get("version") != "2":
        raise _wrong(
            NETWORK_CONFIG, "it does not say that it is of version 2", "write  version: 2  and what follows it"
        )
    if not any(isinstance(inner.get(name), dict) for name in LINKS):
        text = f"it names no interface: one of {', '.join(LINKS)} is a mapping of them"
        raise _wrong(NETWORK_CONFIG, text, "leave all of it out to have it made by itself")
    return text, "version 2"


def _kind(line: str) -> str | None:
    lower = line.lower()
    if lower.startswith(MIME):
        return "MIME multi-part"
    return next((kind for beginning, kind in BEGINNINGS if lower.startswith(beginning)), None)


def _plain(text: str, part: str) -> str:
    """The text with lines that end as on Unix: a form sends others, and no kernel starts a script that has them."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").lstrip("\n")
    odd = next((each for each in text if not (each.isprintable() or each in "\n\t")), None)
    if odd is not None:
        line = text[: text.index(odd)].count("\n") + 1
        hint = "take it out; files with such characters are written in base64"
        raise _wrong(part, f"line {line} has the character U+{ord(odd):04X}, which is no text", hint)
    if (size := len(text.encode())) > LONGEST:
        name = part.replace("_", "-")
        raise Invalid(
            f"{name}-long", f"it has {size} bytes, {LONGEST} at most are kept", "have it fetch the rest", part
        )
    return text if text.endswith("\n") else f"{text}\n"


def _tree(text: str, part: str) -> Any:
    """The document as dicts, lists and the text of scalars; None for none. What an alias stands for is left out."""
    import yaml  # here: it takes memory, which no daemon needs before somebody writes a seed

    growing = _Growing(part)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            growing.take(event)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        line = f"line {at.line + 1}: " if at else ""
        hint = "indent with spaces, and quote what has a colon or begins with one of @ % & * ! | > ` { ["
        raise _wrong(part, f"{line}{error.problem or error.context or 'it is no YAML'}", hint) from None
    except yaml.YAMLError as error:
        raise _wrong(part, f"it is no YAML: {str(error)[:200]}") from None
    return growing.root


@dataclass(slots=True)
class _Growing:
    """A document, event by event."""

    part: str
    root: Any = None
    _documents: int = 0
    _open: list[dict[str, Any] | list[Any]] = field(default_factory=list)
    _keys: list[str | None] = field(default_factory=list)
    """Of each that is open: the key whose value comes next, None where a key comes next."""

    def take(self, event: Any) -> None:
        """Raises Invalid for what cloud-init would refuse, or would take otherwise than it looks."""
        line = event.start_mark.line + 1
        if getattr(event, "tag", None) not in (None, "!", *TAGS):
            raise _wrong(self.part, f"line {line}: the tag {event.tag[:60]!r} is refused", "write it without a tag")
        match type(event).__name__:
            case "DocumentStartEvent":
                self._documents += 1
                if self._documents > 1:
                    raise _wrong(self.part, f"line {line}: a second document begins", "take the line --- away")
            case "MappingStartEvent":
                self._begin({}, line)
            case "SequenceStartEvent":
                self._begin([], line)
            case "MappingEndEvent" | "SequenceEndEvent":
                self._open.pop()
                self._keys.pop()
            case "ScalarEvent":
                self._put(event.value, line)
            case "AliasEvent":
                self._put("", line, alias=True)

    def _begin(self, made: dict[str, Any] | list[Any], line: int) -> None:
        if len(self._open) == DEEPEST:
            raise _wrong(self.part, f"line {line}: more than {DEEPEST} levels stand in each other", "make it flatter")
        self._put(made, line)
        self._open.append(made)
        self._keys.append(None)

    def _put(self, value: Any, line: int, *, alias: bool = False) -> None:
        if not self._open:
            self.root = value
        elif isinstance(inside := self._open[-1], list):
            inside.append(value)
        elif (key := self._keys[-1]) is not None:
            inside[key] = value
            self._keys[-1] = None
        else:
            self._keys[-1] = self._key(value, inside, line, alias=alias)

    def _key(self, value: Any, inside: dict[str, Any], line: int, *, alias: bool) -> str:
        if not isinstance(value, str) or alias:
            raise _wrong(self.part, f"line {line}: a key is more than a word", "write a word, and a colon behind it")
        if value in inside and value != "<<":
            hint = "write it once: only the last one would count"
            raise _wrong(self.part, f"line {line}: {value[:60]!r} stands there twice", hint)
        return value


def seed_words(parts: Mapping[str, Part]) -> str:
    """What a seed has, for people."""
    user_data = [f"user data ({parts[USER_DATA].kind})"] if USER_DATA in parts else []
    network = ["a network configuration"] if NETWORK_CONFIG in parts else []
    return ", ".join([*user_data, *network])


def _wrong(part: str, text: str, hint: str = "") -> Invalid:
    return Invalid(f"{part.replace('_', '-')}-invalid", text, hint, part)
