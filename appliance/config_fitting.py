"""What of a configuration can be served on the networks that this computer has now; the rest is set aside."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv4Network

from appliance.config import Config
from appliance.config_subnets import SubnetSection, heard_on, interfaces_of, parse_range
from appliance.networking.served import Aside, Have, Served, misfit


@dataclass(frozen=True, slots=True)
class Fit:
    """A configuration, sorted."""

    config: Config
    """With the subnets that fit, and those that are switched off."""
    interfaces: Mapping[str, IPv4Interface]
    """Address of each interface that those are heard on."""
    aside: tuple[Aside, ...]
    """The others."""
    written: Config
    """As the file has it."""


def served(config: Config) -> tuple[Served, ...]:
    """All subnets that are to be served."""
    return tuple(_served(each, config) for each in config.subnet if each.mode != "off")


def _served(section: SubnetSection, config: Config) -> Served:
    remote = IPv4Network(section.network) if section.network else None
    ranges = tuple(parse_range(each) for each in section.ranges)
    return Served(section.key, heard_on(section, config.subnet), ranges, remote)


def fit(config: Config, have: Have) -> Fit:
    """Set aside what does not fit these interfaces."""
    every = served(config)
    found = {each.subnet: wrong for each in every if (wrong := misfit(each, every, have)) is not None}
    kept = tuple(_pinned(each, config) for each in config.subnet if each.mode == "off" or each.key not in found)
    addresses = {name: address for name in interfaces_of(kept) if (address := have.get(name)) is not None}
    return Fit(replace(config, subnet=kept), addresses, tuple(found.values()), config)


def _pinned(section: SubnetSection, config: Config) -> SubnetSection:
    """Heard where it was meant to be heard, whichever other subnet is set aside."""
    return replace(section, interface=heard_on(section, config.subnet)) if section.network else section
