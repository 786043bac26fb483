"""What all parts stand on: the configuration with the addresses it speaks of, the store, the clock."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from appliance.certificates import Authority
from appliance.config import Config
from appliance.config_subnets import SubnetSection, heard_on, parse_range
from appliance.dhcp_options import read_options
from appliance.events import Bus
from appliance.instruments import Instruments
from appliance.netboot.dhcp.rules import Rules, under
from appliance.netboot.dhcp.served import ServedSubnets
from appliance.netboot.dhcp.subnet import AddressRange, Subnet
from appliance.netboot.dns.zone import Zone
from appliance.reconcile.bell import Bell
from appliance.reconcile.presence import Presence
from appliance.reconcile.room import Room, space
from appliance.reconcile.stuck import StuckDisk
from appliance.reserve import Reserve
from appliance.server_tls import ServerTls
from appliance.store.store import Store

OWN_NAME = "appliance"
"""Our own host name in the site's domain."""
DNS_TTL = 60


@dataclass(frozen=True, slots=True)
class Ground:
    """Shared by everything that is built."""

    config: Config
    """With those subnets that fit the networks."""
    store: Store
    bus: Bus
    subnets: ServedSubnets
    """Those that are served, as they are at the moment."""
    fixed: Mapping[str, Rules]
    """What the configuration file fixes of each subnet, by interface; the rest may be switched at run time."""
    off: Sequence[str]
    """Interfaces whose subnet is configured and switched off."""
    zone: Zone
    authority: Authority
    instruments: Instruments
    stuck: StuckDisk
    room: Room
    presence: Presence
    bell: Bell = field(default_factory=Bell)
    clock: Callable[[], float] = time.time
    config_path: Path = Path("/etc/qrm/appliance.toml")
    """Where the configuration was read."""
    written: Config = field(default_factory=Config)
    """As it was read, with the subnets that are set aside."""
    again: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to have everything end and begin anew."""
    certificates: list[ServerTls] = field(default_factory=list)
    """Those that are renewed while the daemon runs."""

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.config.site.state_dir

    @property
    def addresses(self) -> list[str]:
        """Our own, one in each subnet that we are on ourselves, and where relays reach us."""
        return list(dict.fromkeys(str(subnet.address.ip) for subnet in self.subnets))

    def tls(self, names: Sequence[str], kept: Path | None = None) -> ServerTls:
        """A server's certificate of our own authority, renewed in time; one that is ``kept`` outlives a restart."""
        self.certificates.append(ServerTls(self.authority, names, self.clock(), kept))
        return self.certificates[-1]


def ground(
    config: Config, interfaces: Mapping[str, IPv4Interface], store: Store, bus: Bus, authority: Authority
) -> Ground:
    """``interfaces`` has the address of each interface that the configuration names."""
    served = [each for each in config.subnet if each.mode != "off"]
    subnets = [_subnet(config, each, interfaces[heard_on(each, config.subnet)]) for each in served]
    return Ground(
        config=config,
        store=store,
        bus=bus,
        subnets=ServedSubnets(subnets),
        fixed={made.interface: _fixed(each) for made, each in zip(subnets, served, strict=True)},
        off=[each.key for each in config.subnet if each.mode == "off"],
        zone=_zone(config.site.domain, subnets),
        authority=authority,
        instruments=Instruments(store, bus),
        stuck=StuckDisk(store, bus, time.time),
        room=Room(store, bus, time.time, Reserve(config.site.state_dir), lambda: space(config.site.state_dir)),
        presence=Presence(store, time.time),
    )


def _subnet(config: Config, section: SubnetSection, address: IPv4Interface) -> Subnet:
    ours = (str(address.ip),) if config.dns.enabled and config.dns.port == 53 else ()
    dns = section.dns if section.dns is not None else ours
    remote = IPv4Network(section.network) if section.network else None
    made = Subnet(
        interface=section.key,
        address=address,
        ranges=tuple(AddressRange(*parse_range(text)) for text in section.ranges),
        lease_seconds=section.lease_seconds,
        gateway=IPv4Address(section.router) if section.router else None,
        dns=tuple(IPv4Address(each) for each in dns),
        ntp=tuple(IPv4Address(each) for each in section.ntp),
        domain=config.site.domain,
        boot_program=section.boot_program or "",
        boot_port=config.boot.port,
        remote=remote,
        through=heard_on(section, config.subnet) if remote is not None else "",
        relays=tuple(IPv4Address(each) for each in section.relays),
        leases_per_port=section.leases_per_port,
        identify_by=section.identify_by,
        options=tuple(read_options(section.options, of_subnet=True).items()),
        written_options=tuple(section.options.items()),
    )
    return under(made, _fixed(section), Rules())


def _fixed(section: SubnetSection) -> Rules:
    return Rules(
        section.mode, section.serve_non_pxe, section.unknown_machines, section.other_servers, section.network_roots
    )


def _zone(domain: str, subnets: Sequence[Subnet]) -> Zone:
    own = dict.fromkeys(each.address.ip for each in subnets)
    return Zone(domain, [each.network for each in subnets], OWN_NAME, list(own), DNS_TTL)
