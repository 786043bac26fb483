"""The configuration file: TOML in, one frozen dataclass per section out, errors with file, line and key."""

import dataclasses
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any, Literal

from appliance.config_subnets import SubnetSection, check_networks, check_subnets
from appliance.errors import ApplianceError


class ConfigError(ApplianceError):
    """The configuration file is wrong: file, line, key, and what would be right."""


@dataclass(frozen=True, slots=True)
class SiteSection:
    """``[site]``"""

    state_dir: Path = Path("/var/lib/appliance")
    """Everything that must survive: the store, keys, images."""
    domain: str = "lab.test"
    """DNS domain of machines and deployments."""
    preload: tuple[Path, ...] = ()
    """Directories with ``image.raw.zst`` and ``image.json``, added to the catalogue when it lacks them."""


@dataclass(frozen=True, slots=True)
class TftpSection:
    """``[tftp]``"""

    enabled: bool = True
    extra_root: Path | None = None
    """Further files, read only."""
    single_port: bool = False
    """Whether whole transfers go through port 69, for a firewall that does not follow them to ports of their own."""


@dataclass(frozen=True, slots=True)
class DnsSection:
    """``[dns]``"""

    enabled: bool = True
    port: int = 53
    forwarders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BootSection:
    """``[boot]``"""

    port: int = 80
    """Plain HTTP on the subnets' interfaces."""
    control_port: int = 443
    """Agent HTTPS there."""
    files: Path | None = None
    """Further files under /files/."""
    stack: Path = Path("/usr/share/qrm/stack")
    """The maintenance stack, as the image builder made it."""
    programs: Path = Path("/usr/share/qrm/programs")
    """Boot programs: iPXE and network GRUB."""


@dataclass(frozen=True, slots=True)
class WebSection:
    """``[web]``"""

    listen: tuple[str, ...] = ("127.0.0.1:8443",)
    """HTTPS addresses of console and API; sockets passed in by systemd or the lab take their place."""
    hosts: tuple[str, ...] = ()
    """Further names and addresses by which browsers reach the console, such as one that a gateway forwards."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    site: SiteSection = field(default_factory=SiteSection)
    subnet: tuple[SubnetSection, ...] = ()
    tftp: TftpSection = field(default_factory=TftpSection)
    dns: DnsSection = field(default_factory=DnsSection)
    boot: BootSection = field(default_factory=BootSection)
    web: WebSection = field(default_factory=WebSection)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration, and on which line of which file everything in it stands."""

    config: Config
    _reader: "_Reader"

    def check_ranges(self, interfaces: Mapping[str, IPv4Interface]) -> None:
        """Raise ConfigError where ranges or networks do not fit the addresses that interfaces really have.

        Sections of interfaces that are not among these are left alone.
        """
        check_networks(self.config.subnet, interfaces, self._reader.error)


def read(path: Path) -> ConfigFile:
    """The configuration in ``path``; raises ConfigError for a file that cannot be read or is not right."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError("config-unreadable", f"{path}: {reason}", "name the file with --config FILE") from error
    return _read_text(text, str(path))


def load(path: Path) -> Config:
    """The configuration in ``path`` alone; raises as ``read``."""
    return read(path).config


def parse(text: str, name: str) -> Config:
    """The configuration in ``text``; ``name`` is the file's name for messages."""
    return _read_text(text, name).config


def _read_text(text: str, name: str) -> ConfigFile:
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # besides TOMLDecodeError: numbers and lists beyond all bounds
        raise ConfigError("config-syntax", f"{name}: {error}", "the file is TOML: key = value") from error
    reader = _Reader(text, name)
    config = reader.config(tables)
    check_subnets(config.subnet, reader.error)
    _check_numbers(reader, config)
    return ConfigFile(config, reader)


_SECTIONS: dict[str, type[Any]] = {
    "site": SiteSection,
    "subnet": SubnetSection,
    "tftp": TftpSection,
    "dns": DnsSection,
    "boot": BootSection,
    "web": WebSection,
}


class _Reader:
    """Turns tables into sections and knows on which line a key stands."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.splitlines()
        self._name = name

    def config(self, tables: dict[str, Any]) -> Config:
        for key in tables:
            if key not in _SECTIONS:
                raise self.error(key, None, "is unknown", f"sections are {', '.join(_SECTIONS)}")
        values: dict[str, Any] = {}
        for section, kind in _SECTIONS.items():
            if section not in tables:
                continue
            if section == "subnet":
                listed = self._require(tables[section], list, section, None, "write [[subnet]], with two brackets")
                values[section] = tuple(self._section(kind, t, section, n) for n, t in enumerate(listed))
            else:
                table = self._require(tables[section], dict, section, None, f"write [{section}] on a line of its own")
                values[section] = self._section(kind, table, section, 0)
        return Config(**values)

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
            return {name: self._text(each, f"{section}.{key}", name, index) for name, each in table.items()}
        if hint is Path:
            text = self._require(value, str, section, key, 'write a path in quotes: "/..."', index)
            return self._absolute(text, section, key, index)
        wants = {str: 'text in quotes: "..."', int: "a whole number", bool: "true or false"}[hint]
        return self._require(value, hint, section, key, f"write {wants}", index)

    def _text(self, value: Any, section: str, key: str, index: int) -> str:
        """A value of any simple type as the text of it; lists with commas between."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return ", ".join(self._text(each, section, key, index) for each in value)
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

    def error(self, section: str, key: str | None, wrong: str, right: str, index: int = 0) -> ConfigError:
        line = self._line(section, key, index)
        place = f"[{section}]" if key is None else f"[{section}] {key}"
        return ConfigError("config-invalid", f"{self._name}:{line}: {place} {wrong}", right, key or section)

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


_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]{0,252}):[0-9]{1,5}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]+")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _check_numbers(reader: _Reader, config: Config) -> None:
    ports = {("dns", "port"): config.dns.port, ("boot", "port"): config.boot.port}
    ports["boot", "control_port"] = config.boot.control_port
    for (section, key), port in ports.items():
        if not 1 <= port <= 65535:
            raise reader.error(section, key, f"cannot be {port}", "ports are 1 to 65535")
    if config.boot.port == config.boot.control_port:
        raise reader.error("boot", "control_port", "is the same as port", "use two ports")
    _check_web(reader, config.web)
    for forwarder in config.dns.forwarders:
        try:
            IPv4Address(forwarder)
        except AddressValueError as error:
            raise reader.error("dns", "forwarders", f"{forwarder!r} is not an IPv4 address", "9.9.9.9") from error
    if len(config.site.domain) > 200 or not all(_LABEL.fullmatch(each) for each in config.site.domain.split(".")):
        raise reader.error("site", "domain", f"{config.site.domain!r} is no DNS domain", 'write "lab.test"')


def _check_web(reader: _Reader, web: WebSection) -> None:
    for listen in web.listen:
        if not _LISTEN.fullmatch(listen):
            raise reader.error("web", "listen", f"{listen!r} is not ADDRESS:PORT", 'write "127.0.0.1:8443"')
        if int(listen.rpartition(":")[2]) > 65535:
            raise reader.error("web", "listen", f"{listen!r} has no such port", "ports are 1 to 65535")
    for host in web.hosts:
        if not _HOST.fullmatch(host):
            right = 'write a name or an address without a port: "boot.example.com"'
            raise reader.error("web", "hosts", f"{host!r} is no host", right)
