"""Builds the daemon's parts from the configuration. Nothing is bound or served here."""

import asyncio
import dataclasses
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

import appliance
from appliance import certificates
from appliance.about import about
from appliance.certificates import Authority, ServerTls
from appliance.config import Config, SubnetSection, parse_range
from appliance.console_tls import ConsoleTls
from appliance.events import Bus
from appliance.instruments import Instruments
from appliance.machine import MacAddress
from appliance.netboot import grub, ipxe
from appliance.netboot.control import Control
from appliance.netboot.dhcp.facts import DhcpSeen, Fact
from appliance.netboot.dhcp.server import DhcpServer
from appliance.netboot.dhcp.subnet import AddressRange, Subnet
from appliance.netboot.dns.forwarder import Forwarder
from appliance.netboot.dns.server import DnsServer
from appliance.netboot.dns.zone import Zone
from appliance.netboot.http import BootFiles, BootHttp
from appliance.netboot.policy import NextEntry
from appliance.netboot.router import RouterAnswers
from appliance.netboot.stack import assemble as assemble_stack
from appliance.netboot.tftp.files import DirectoryFiles, FileSource, Overlay, RenderedFiles
from appliance.netboot.tftp.server import TftpServer
from appliance.netboot.whose import Whose, known_by_address
from appliance.reconcile.agents import Agents, SiteUrls
from appliance.reconcile.bell import Bell
from appliance.reconcile.boot_messages import MachineMessages
from appliance.reconcile.boots import Boots
from appliance.reconcile.bulk import job_kinds
from appliance.reconcile.fleet import StoredFleet
from appliance.reconcile.imports import Imports
from appliance.reconcile.jobs import Jobs
from appliance.reconcile.kept_names import KeptNames
from appliance.reconcile.loop import ReconcileLoop
from appliance.reconcile.names import Name
from appliance.reconcile.network_views import NetworkViews
from appliance.reconcile.network_wishes import NetworkWishes
from appliance.reconcile.observations import Observations
from appliance.reconcile.projection import Projection
from appliance.reconcile.proof import Proof
from appliance.reconcile.reservations import Reservations
from appliance.reconcile.residents import Residents
from appliance.reconcile.upkeep import Upkeep
from appliance.reconcile.watch import Watch
from appliance.reconcile.wishes import Wishes
from appliance.state import writing
from appliance.store.leases import StoredLeases
from appliance.store.store import Store
from appliance.web.app import make_app
from appliance.web.certificate import CERTIFICATE
from appliance.web.services import Services

OWN_NAME = "appliance"
"""Our own host name in the site's domain."""
DNS_TTL = 60
PER_SOURCE = 256
"""Connections that one address of a provisioning network may have open at each site; a machine needs a few."""


class Server(Protocol):
    """What binds before anything is served, and then runs until cancelled."""

    async def start(self) -> None:
        """Bind; raises ApplianceError."""

    async def run(self) -> None:
        """Serve."""

    def close(self) -> None:
        """Give ports back."""


@dataclass(frozen=True, slots=True)
class Site:
    """One HTTP application and the addresses it listens on."""

    name: str
    app: web.Application
    listen: tuple[tuple[str, int], ...]
    tls: ssl.SSLContext | None = None
    sockets: Sequence[socket.socket] = ()
    """Sockets that were passed in; they take the place of ``listen``."""
    per_source: int | None = None
    """Connections that one address may have open; None for any number."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything that runs."""

    servers: tuple[Server, ...]
    sites: tuple[Site, ...]
    loops: dict[str, Callable[[], Awaitable[None]]]
    imports: Imports
    fingerprint: str


class Builder:
    """Holds what several parts share while they are built."""

    def __init__(
        self,
        config: Config,
        interfaces: Mapping[str, IPv4Interface],
        store: Store,
        bus: Bus,
        passed: Sequence[socket.socket],
    ) -> None:
        """``interfaces`` has the address of each interface that the configuration names."""
        self._config, self._interfaces, self._store, self._bus, self._passed = config, interfaces, store, bus, passed
        self._clock = time.time
        self._state = config.site.state_dir
        self._bell = Bell()
        self._network_wishes: NetworkWishes
        self._instruments = Instruments(store, bus)
        self._whose: Whose = lambda _: None
        self._certificates: list[ServerTls] = []
        self._subnets = [self._subnet(section) for section in config.subnet if section.mode != "off"]
        self._routers = {subnet.interface: RouterAnswers(subnet.interface) for subnet in self._subnets}
        self._off = [section.interface for section in config.subnet if section.mode == "off"]
        self._zone = self._new_zone()
        self._wishes = Wishes(store, bus, self._clock, self._subnets)

    async def build(self) -> Assembly:
        """All parts; raises ApplianceError for what the configuration promises and the computer lacks."""
        authority = certificates.authority(self._state, self._clock())
        projection = Projection(self._store, self._bus, self._publish_name, self._zone.withdraw)
        self._whose = projection.whose
        observations = Observations(self._store, self._bus, self._clock, projection)
        with writing(self._state / "images"):
            imports = Imports(self._store, self._bus, self._state, self._clock)
        files = await self._boot_files(authority)
        fleet = self._fleet(files, imports)
        await fleet.boots.remember_disks()
        await projection.refresh()
        dhcp = self._dhcp(projection, observations)
        watch = Watch(self._store, self._bus, self._clock, self._subnets, dhcp.holder, projection.arrived)
        observations.watch = watch
        fleet = replace(fleet, watch=watch)
        kept_names = KeptNames(self._store, self._bus, self._zone)
        await kept_names.refresh()
        proof = Proof(self._subnets, dhcp.holder, lambda mac: projection.machine_of.get(mac))
        reservations = Reservations(self._store, self._bus, self._clock, self._subnets, dhcp.set_reservations)
        await reservations.refresh()

        async def apply() -> None:
            await reservations.refresh()
            await kept_names.refresh()

        self._network_wishes = NetworkWishes(
            self._store, self._bus, self._clock, self._subnets, self._zone.domain, dhcp.forget, apply
        )
        loop = ReconcileLoop(self._store, self._bus, self._bell, self._clock)
        jobs = Jobs(self._store, self._bus, self._clock, job_kinds(self._wishes, self._clock))
        upkeep = Upkeep(self._store, self._bus, self._clock)
        return Assembly(
            servers=tuple(self._servers(fleet.boots, dhcp, observations)),
            sites=tuple(
                self._sites(authority, files, fleet, imports, self._boot_app(fleet, files, observations, proof))
            ),
            loops={
                "reconcile": loop.run,
                "jobs": jobs.run,
                "projection": projection.run,
                "observations": observations.run,
                "reservations": reservations.run,
                "kept names": kept_names.run,
                "sightings": watch.run,
                "upkeep": upkeep.run,
                **self._instruments.loops(),
                "certificates": lambda: certificates.keep_renewed(self._certificates, self._clock),
                "console certificate": self._certificate.watch,
            },
            imports=imports,
            fingerprint=authority.fingerprint,
        )

    def _subnet(self, section: SubnetSection) -> Subnet:
        address = self._interfaces[section.interface]
        ours = (str(address.ip),) if self._config.dns.enabled and self._config.dns.port == 53 else ()
        dns = section.dns if section.dns is not None else ours
        return Subnet(
            interface=section.interface,
            address=address,
            mode=section.mode,
            ranges=tuple(AddressRange(*parse_range(text)) for text in section.ranges),
            lease_seconds=section.lease_seconds,
            gateway=IPv4Address(section.gateway) if section.gateway else None,
            dns=tuple(IPv4Address(each) for each in dns),
            ntp=tuple(IPv4Address(each) for each in section.ntp),
            domain=self._config.site.domain,
            unknown_machines=section.unknown_machines,
            serve_non_pxe=section.serve_non_pxe,
            boot_port=self._config.boot.port,
        )

    @property
    def _addresses(self) -> list[IPv4Interface]:
        return [subnet.address for subnet in self._subnets]

    def _new_zone(self) -> Zone:
        networks = [address.network for address in self._addresses]
        own = [address.ip for address in self._addresses]
        return Zone(self._config.site.domain, networks, OWN_NAME, own, DNS_TTL)

    def _publish_name(self, name: Name) -> None:
        self._zone.publish(name.owner, name.name, name.address, name.until, name.kind)

    async def _boot_files(self, authority: Authority) -> BootFiles:
        boot = self._config.boot
        source = Path(appliance.__file__).parent
        stack = await asyncio.to_thread(assemble_stack, boot.stack, source, self._state / "stack")
        return BootFiles(
            programs=boot.programs,
            stack=stack.directory,
            stack_path=stack.url_path,
            ca_pem=authority.pem,
            ca_fingerprint=authority.fingerprint,
            port=boot.port,
            control_port=boot.control_port,
            extra=boot.files,
        )

    def _fleet(self, files: BootFiles, imports: Imports) -> StoredFleet:
        urls = SiteUrls(
            server=lambda address: files.site(address).server,
            control=lambda address: files.site(address).control,
            ca_pem=files.ca_pem.decode(),
        )
        unknown = {str(subnet.address.ip): subnet.unknown_machines for subnet in self._subnets}
        shared = (self._store, self._bus, self._bell, self._clock)
        return StoredFleet(
            Boots(*shared, unknown),
            Agents(*shared, urls, imports.image_path),
            Residents(*shared),
            MachineMessages(self._store, self._clock),
        )

    def _dhcp(self, projection: Projection, observations: Observations) -> DhcpServer:
        def seen(fact: Fact) -> None:
            if isinstance(fact, DhcpSeen) and fact.is_ipxe:
                self._routers[fact.interface].booting(fact.mac)
            with about(projection.machine_of.get(MacAddress(_mac_of(fact)))):
                observations.dhcp(fact)

        server = DhcpServer(self._subnets, StoredLeases(self._store), seen, projection.is_known)
        self._instruments.dhcp(server)
        return server

    def _servers(self, boots: Boots, dhcp: DhcpServer, observations: Observations) -> list[Server]:
        servers: list[Server] = []
        if self._subnets:
            servers += [*self._routers.values(), dhcp]
        if self._config.tftp.enabled:
            servers += self._tftp(boots, observations)
        if self._config.dns.enabled and self._subnets:
            servers.append(self._dns(observations))
        return servers

    def _tftp(self, boots: Boots, observations: Observations) -> list[TftpServer]:
        servers = [
            TftpServer(
                str(subnet.address.ip), 69, self._tftp_files(subnet, boots), observations.tftp, whose=self._whose
            )
            for subnet in self._subnets
        ]
        self._instruments.tftp(servers)
        return servers

    def _tftp_files(self, subnet: Subnet, boots: Boots) -> FileSource:
        start = ipxe.start_script(subnet.boot_url).encode()
        rendered = RenderedFiles(
            {
                r"autoexec\.ipxe": lambda _match, _client: start,
                r"grub/([0-9a-f:]{17})\.cfg": lambda match, _client: grub.config(
                    boots.disk_decided.get(match[1].lower(), NextEntry())
                ).encode(),
            }
        )
        sources: list[FileSource] = [rendered, DirectoryFiles(self._config.boot.programs)]
        if self._config.tftp.extra_root is not None:
            sources.append(DirectoryFiles(self._config.tftp.extra_root))
        return Overlay(sources)

    def _dns(self, observations: Observations) -> DnsServer:
        section = self._config.dns
        forwarder = Forwarder(section.forwarders, observations.other) if section.forwarders else None
        addresses = [str(address.ip) for address in self._addresses]
        networks = [address.network for address in self._addresses]
        server = DnsServer(addresses, section.port, self._zone, forwarder, networks, observations.other)
        self._instruments.dns(server)
        return server

    def _boot_app(
        self, fleet: StoredFleet, files: BootFiles, observations: Observations, proof: Proof
    ) -> web.Application:
        boot = BootHttp(fleet, files, self._clock, observations.http, proof)
        self._instruments.boot(boot)
        return self._for_machines("boot", boot.make_app())

    def _for_machines(self, name: str, app: web.Application) -> web.Application:
        """A site whose requests are counted, and logged with the machine that they come from."""
        app.middlewares.insert(0, known_by_address(self._whose))
        return self._instruments.site(name, app)

    def _sites(
        self,
        authority: Authority,
        files: BootFiles,
        fleet: StoredFleet,
        imports: Imports,
        boot: web.Application,
    ) -> list[Site]:
        addresses = [str(address.ip) for address in self._addresses]
        control_tls = self._tls(authority, addresses or ["127.0.0.1"]).context
        return [
            Site("boot HTTP", boot, tuple((each, files.port) for each in addresses), per_source=PER_SOURCE),
            Site(
                "agent control",
                self._for_machines("control", Control(fleet).make_app()),
                tuple((a, files.control_port) for a in addresses),
                control_tls,
                per_source=PER_SOURCE,
            ),
            self._console(authority, imports, addresses),
        ]

    def _tls(self, authority: Authority, names: Sequence[str]) -> ServerTls:
        self._certificates.append(ServerTls(authority, names, self._clock()))
        return self._certificates[-1]

    def _console(self, authority: Authority, imports: Imports, addresses: list[str]) -> Site:
        listen = tuple(_split(each) for each in self._config.web.listen)
        hosts = [host for host, _ in listen if host not in ("0.0.0.0", "::")]  # noqa: S104 - names, not a bind
        hosts += self._config.web.hosts
        names = [f"{OWN_NAME}.{self._config.site.domain}", socket.gethostname(), "localhost", "127.0.0.1"]
        names = list(dict.fromkeys([*names, *hosts, *addresses]))
        tls = ConsoleTls(self._tls(authority, names), self._state, names, self._clock)
        services = Services(
            store=self._store,
            bus=self._bus,
            wishes=self._wishes,
            network=NetworkViews(self._store, self._clock, self._subnets, self._off, self._zone),
            network_wishes=self._network_wishes,
            imports=imports,
            clock=self._clock,
            state_dir=self._state,
            domain=self._config.site.domain,
            fingerprint=authority.fingerprint,
            config=plain(self._config),
            metrics=self._instruments.metrics,
            history=self._instruments.history,
            hosts=self._config.web.hosts,
            tls=tls,
        )
        app = make_app(services)
        self._certificate = app[CERTIFICATE]
        return Site("console", self._instruments.site("console", app, timed=True), listen, tls.context, self._passed)


def plain(config: Config) -> dict[str, Any]:
    """The configuration as text and numbers, to be shown."""

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shown(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [shown(each) for each in value]
        return str(value) if isinstance(value, Path) else value

    result: dict[str, Any] = shown(dataclasses.asdict(config))
    return result


def _mac_of(fact: Fact) -> str:
    """Whom a fact is about; empty for what is about nobody."""
    mac: str = getattr(getattr(fact, "lease", fact), "mac", "")
    return mac


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)
