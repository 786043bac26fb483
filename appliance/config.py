"""The configuration file: TOML in, one frozen dataclass per section out, errors with file, line and key."""

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Any

from appliance.config_subnets import SubnetSection, check_subnets
from appliance.errors import ApplianceError
from appliance.toml_sections import Language, SectionReader


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
    first_start: bool = False
    """Whether a flashed appliance begins with this configuration: the console then asks for all the rest."""


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


def load(path: Path) -> Config:
    """The configuration in ``path``; raises ConfigError for a file that cannot be read or is not right."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError("config-unreadable", f"{path}: {reason}", "name the file with --config FILE") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Config:
    """The configuration in ``text``; ``name`` is the file's name for messages."""
    reader = SectionReader(text, name, _LANGUAGE)
    config = Config(**reader.sections())
    check_subnets(config.subnet, reader.error)
    _check_numbers(reader, config)
    return config


_SECTIONS: dict[str, type[Any]] = {
    "site": SiteSection,
    "subnet": SubnetSection,
    "tftp": TftpSection,
    "dns": DnsSection,
    "boot": BootSection,
    "web": WebSection,
}
_LANGUAGE = Language("config", ConfigError, _SECTIONS, frozenset({"subnet"}))


_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]{0,252}):[0-9]{1,5}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]+")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _check_numbers(reader: SectionReader, config: Config) -> None:
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


def _check_web(reader: SectionReader, web: WebSection) -> None:
    for listen in web.listen:
        if not _LISTEN.fullmatch(listen):
            raise reader.error("web", "listen", f"{listen!r} is not ADDRESS:PORT", 'write "127.0.0.1:8443"')
        if int(listen.rpartition(":")[2]) > 65535:
            raise reader.error("web", "listen", f"{listen!r} has no such port", "ports are 1 to 65535")
    for host in web.hosts:
        if not _HOST.fullmatch(host):
            right = 'write a name or an address without a port: "boot.example.com"'
            raise reader.error("web", "hosts", f"{host!r} is no host", right)
