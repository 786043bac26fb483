"""A recipe: what a root file system is made of, read from TOML and checked field by field. Pure."""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from appliance.errors import Invalid
from appliance.fetch_source import check_url

LARGEST = 64 << 10
"""Bytes of a recipe."""
LONGEST_TITLE = 100
MOST_PACKAGES = 1000
MOST_SOURCES = 10
KEYRINGS: Final = {
    "debian": ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
    "ubuntu": ("/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring"),
}
"""Whose signatures are believed: the file, on the appliance as in what is made, and the package that it is in."""
VARIANTS: Final = ("minbase", "essential", "important", "standard")
"""Of mmdebstrap(1): which packages come without being named."""
MINUTES = range(1, 24 * 60 + 1)
GIGABYTES = range(1, 101)


@dataclass(frozen=True, slots=True)
class Source:
    """One archive of packages."""

    address: str
    """HTTP or HTTPS; what it sends is believed for its signatures only."""
    suites: tuple[str, ...]
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is made, and within which bounds."""

    title: str
    suite: str
    """The release, as its archive calls it; in the first source."""
    keyring: str
    """A key of ``KEYRINGS``: all sources have to be signed by it."""
    sources: tuple[Source, ...]
    packages: tuple[str, ...]
    disk: tuple[str, ...] = ()
    """Packages that a whole disk has besides, the kernel's and what makes its initrd; empty: no disk is made by it."""
    variant: str = "minbase"
    enable: tuple[str, ...] = ()
    """systemd units that are to start."""
    mask: tuple[str, ...] = ()
    """systemd units that never start."""
    minutes: int = 120
    """It is given up after so long."""
    gigabytes: int = 10
    """It is given up where the files have more than so many (10^9 bytes)."""


_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}")
"""Debian Policy, section 5.6.7."""
_SUITE = re.compile(r"[a-z][a-z0-9.-]{0,59}")
_COMPONENT = re.compile(r"[a-z][a-z0-9-]{0,39}")
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9@_.:-]{0,99}\.(service|socket|timer|target|mount|path)")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/\[\]%+-]{1,500}")


def parsed(text: str) -> Recipe:
    """The recipe that a TOML document is; raises Invalid ``recipe-invalid`` with the field that is wrong."""
    if len(text.encode(errors="replace")) > LARGEST:
        raise _wrong("", f"it has more than {LARGEST >> 10} KiB", "keep to what the image is made of")
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong("", f"this is no TOML: {error}", "see https://toml.io, or begin with one that is here") from error
    keys = _Table(found, "")
    recipe = Recipe(
        title=keys.text("title", lambda each: each.isprintable() and 0 < len(each) <= LONGEST_TITLE, "one line"),
        suite=keys.text("suite", _SUITE.fullmatch, "the release as its archive calls it, such as trixie"),
        keyring=keys.text("keyring", KEYRINGS.__contains__, f"one of {', '.join(KEYRINGS)}"),
        sources=_sources(keys.take("source")),
        packages=keys.texts("packages", MOST_PACKAGES, _PACKAGE.fullmatch, "names of packages"),
        disk=keys.texts("disk", MOST_PACKAGES, _PACKAGE.fullmatch, "names of packages", needed=False),
        variant=keys.text("variant", VARIANTS.__contains__, f"one of {', '.join(VARIANTS)}", "minbase"),
        enable=keys.texts("enable", 100, _UNIT.fullmatch, "systemd units, such as ssh.service", needed=False),
        mask=keys.texts("mask", 100, _UNIT.fullmatch, "systemd units, such as apt-daily.timer", needed=False),
        minutes=keys.number("minutes", MINUTES, 120),
        gigabytes=keys.number("gigabytes", GIGABYTES, 10),
    )
    keys.nothing_else()
    if recipe.suite not in recipe.sources[0].suites:
        text = f"{recipe.suite} is not among the suites of the first source"
        raise _wrong("suite", text, "name the source of the release first")
    return recipe


def check_packages(names: Iterable[str], field: str = "packages") -> tuple[str, ...]:
    """Packages that are wanted besides, each once; raises Invalid ``recipe-invalid``."""
    found = tuple(dict.fromkeys(names))
    if len(found) > MOST_PACKAGES:
        raise _wrong(field, f"{len(found)} packages are named", f"name {MOST_PACKAGES} at most")
    for each in found:
        if not _PACKAGE.fullmatch(each):
            raise _wrong(field, f"{each[:80]!r} is no name of a package", "name packages as apt does, such as curl")
    return found


def _sources(entries: Any) -> tuple[Source, ...]:
    if not isinstance(entries, list) or not 0 < len(entries) <= MOST_SOURCES:
        raise _wrong("source", "there is no source of packages", f"write one to {MOST_SOURCES} tables [[source]]")
    return tuple(_source(_Table(each, f"source[{number}].")) for number, each in enumerate(entries, 1))


def _source(keys: "_Table") -> Source:
    found = Source(
        keys.text("address", _ADDRESS.fullmatch, "an address such as http://deb.debian.org/debian").rstrip("/"),
        keys.texts("suites", 10, _SUITE.fullmatch, "suites, such as trixie-updates"),
        keys.texts("components", 10, _COMPONENT.fullmatch, "components, such as main"),
    )
    keys.nothing_else()
    try:
        check_url(found.address)
    except Invalid as error:
        raise _wrong(keys.field("address"), error.message, "write http://HOST/PATH of a mirror") from error
    return found


class _Table:
    """A table of a TOML document, whose keys are taken one by one."""

    def __init__(self, found: Any, above: str) -> None:
        self._above = above
        if not isinstance(found, dict):
            raise _wrong(above.rstrip("."), "this is no table", "write it as [[source]]")
        self._rest = dict(found)

    def field(self, key: str) -> str:
        """What errors call it."""
        return f"{self._above}{key}"

    def take(self, key: str) -> Any:
        """Its value, None where it is not there."""
        return self._rest.pop(key, None)

    def text(self, key: str, good: Callable[[str], object], means: str, default: str | None = None) -> str:
        """A text; raises Invalid where it is missing without a ``default``, or not ``good``."""
        found = self.take(key)
        if found is None and default is not None:
            return default
        if not isinstance(found, str) or not good(found):
            said = "is missing" if found is None else f"is {str(found)[:80]!r}"
            raise _wrong(self.field(key), f"{key} {said}", f"it has to be {means}")
        return found

    def texts(
        self, key: str, most: int, good: Callable[[str], object], means: str, *, needed: bool = True
    ) -> tuple[str, ...]:
        """Several texts, each once; raises Invalid."""
        found = self.take(key)
        if found is None and not needed:
            return ()
        if not isinstance(found, list) or len(found) > most or (needed and not found):
            raise _wrong(self.field(key), f"{key} is no list of 1 to {most} texts", f"it has to be {means}")
        for each in found:
            if not isinstance(each, str) or not good(each):
                raise _wrong(self.field(key), f"{str(each)[:80]!r} cannot be in {key}", f"these have to be {means}")
        return tuple(dict.fromkeys(found))

    def number(self, key: str, within: range, default: int) -> int:
        """A whole number; raises Invalid for one outside."""
        found = self._rest.pop(key, default)
        if type(found) is not int or found not in within:
            hint = f"use a whole number from {within.start} to {within.stop - 1}"
            raise _wrong(self.field(key), f"{key} is {str(found)[:80]!r}", hint)
        return found

    def nothing_else(self) -> None:
        """Raise Invalid for a key that means nothing: a slip of the pen would be passed over in silence."""
        for key in self._rest:
            raise _wrong(self.field(key[:80]), f"{key[:80]!r} is no key of a recipe", "see CONTRIBUTING, Add a recipe")


def _wrong(field: str, what: str, hint: str) -> Invalid:
    where = f"in the recipe, {field}: " if field else "in the recipe: "
    return Invalid("recipe-invalid", where + what, hint, field or "recipe")
