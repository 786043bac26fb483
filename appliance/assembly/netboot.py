"""The servers of the provisioning network: DHCP, router answers, TFTP, DNS, boot HTTP, agent control."""

import asyncio
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from aiohttp import web

import appliance
from appliance.about import about
from appliance.assembly.ground import Ground
from appliance.assembly.parts import Server, Site
from appliance.assembly.patience import impatient
from appliance.machine import MacAddress
from appliance.netboot import grub, ipxe
from appliance.netboot.control import Control
from appliance.netboot.dhcp.facts import DhcpSeen, Fact, LeaseEnded, LeaseGranted, Offered, Unserved
from appliance.netboot.dhcp.served import RootPolicies, UnknownPolicies
from appliance.netboot.dhcp.server import DhcpServer
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.dns.forwarder import Forwarder
from appliance.netboot.dns.server import DnsServer
from appliance.netboot.firmware import ChooseProgram
from appliance.netboot.http import BootFiles, BootHttp
from appliance.netboot.idle_polls import IdlePolls
from appliance.netboot.policy import NextEntry
from appliance.netboot.router import RouterAnswers
from appliance.netboot.stack import assemble as assemble_stack
from appliance.netboot.tftp.files import DirectoryFiles, FileSource, Overlay, RenderedFiles
from appliance.netboot.tftp.server import TftpServer
from appliance.netboot.whose import known_by_address
from appliance.power_key import power_key
from appliance.reconcile.agents import Agents, SiteUrls
from appliance.reconcile.boot_messages import MachineMessages
from appliance.reconcile.boots import Boots
from appliance.reconcile.fleet import StoredFleet
from appliance.reconcile.imports import Imports
from appliance.reconcile.neighbours import MachineNeighbours
from appliance.reconcile.observations import Observations
from appliance.reconcile.polls import Polls
from appliance.reconcile.projection import Projection
from appliance.reconcile.proof import Proof
from appliance.reconcile.residents import Residents
from appliance.reconcile.root_document import RootFiles
from appliance.reconcile.roots import Roots, Sources
from appliance.reconcile.seeds import Seeds
from appliance.store.leases import StoredLeases
from appliance.store.sealing import Sealer

PER_SOURCE = 256
"""Connections that one address of a provisioning network may have open at each site; a machine needs a few."""

Routers = dict[str, RouterAnswers]
"""By interface."""


async def boot_files(ground: Ground) -> BootFiles:
    """What is served to machines, the stack with the agent of this version among it."""
    boot = ground.config.boot
    source = Path(appliance.__file__).parent
    stack = await asyncio.to_thread(assemble_stack, boot.stack, source, ground.state / "stack")
    return BootFiles(
        programs=boot.programs,
        stack=stack.directory,
        stack_path=stack.url_path,
        stack_files=stack.files,
        ca_pem=ground.authority.pem,
        ca_fingerprint=ground.authority.fingerprint,
        port=boot.port,
        control_port=boot.control_port,
        extra=boot.files,
    )


def stored_fleet(ground: Ground, files: BootFiles, imports: Imports) -> StoredFleet:
    """What boots, agents and residents are told, out of the store."""
    urls = SiteUrls(
        server=lambda address: files.site(address).server,
        control=lambda address: files.site(address).control,
        ca_pem=files.ca_pem.decode(),
        package_proxies=_package_proxies(ground),
    )
    unknown = UnknownPolicies(ground.subnets)
    shared = (ground.store, ground.bus, ground.bell, ground.clock)
    starts = RootFiles(files.stack_path, files.stack_files)
    sources = Sources(urls.server, imports.image_path, RootPolicies(ground.subnets), starts, imports.kernel_file)
    sealer = Sealer(power_key(ground.state))
    roots = Roots(ground.store, ground.bus, ground.clock, sources, sealer)
    return StoredFleet(
        Boots(*shared, unknown),
        Agents(*shared, urls, imports.image_path, roots, Seeds(ground.store, sealer)),
        Residents(*shared, ground.presence),
        roots,
        MachineMessages(ground.store, ground.clock),
        MachineNeighbours(ground.store, ground.bus, ground.clock),
        Polls(ground.store, ground.bell, ground.clock, ground.presence),
    )


def _package_proxies(ground: Ground) -> dict[str, str]:
    """By our address on the subnet: the one that its machines reach us at."""
    of = {each.key: each.package_proxy.rstrip("/") for each in ground.config.subnet if each.package_proxy}
    return {str(each.address.ip): of[each.interface] for each in ground.subnets if each.interface in of}


def dhcp_server(
    ground: Ground, routers: Routers, projection: Projection, observations: Observations, choose: ChooseProgram
) -> DhcpServer:
    """Its facts go to ``observations``, with the machine that they are about in every line of the log."""

    def seen(fact: Fact) -> None:
        if isinstance(fact, DhcpSeen) and fact.is_ipxe and fact.interface in routers:
            routers[fact.interface].booting(fact.mac)
        machine = projection.machine_of.get(MacAddress(_mac_of(fact)))
        if machine is None:  # most packets of a crowd are nobody's that we know: nothing is said about whom
            observations.dhcp(fact)
            return
        with about(machine):
            observations.dhcp(fact)

    server = DhcpServer(ground.subnets, StoredLeases(ground.store), seen, projection.is_known, choose=choose)
    ground.instruments.dhcp(server)
    return server


def _mac_of(fact: Fact) -> str:
    """Whom a fact is about; empty for what is about nobody."""
    match fact:
        case DhcpSeen() | Offered():
            return fact.mac
        case LeaseGranted() | LeaseEnded():
            return fact.lease.mac
        case Unserved():
            return fact.seen.mac
    mac: str = getattr(fact, "mac", "")
    return mac


def servers(
    ground: Ground, routers: Routers, dhcp: DhcpServer, boots: Boots, projection: Projection, observed: Observations
) -> list[Server]:
    """Those that speak UDP, in the order in which they are bound."""
    found: list[Server] = []
    if ground.subnets:
        found += [*routers.values(), dhcp]
    if ground.config.tftp.enabled:
        found += _tftp(ground, boots, projection, observed)
    if ground.config.dns.enabled and ground.subnets:
        found.append(_dns(ground, observed))
    return found


def _tftp(ground: Ground, boots: Boots, projection: Projection, observed: Observations) -> list[TftpServer]:
    made = [
        TftpServer(
            str(subnet.address.ip),
            69,
            _tftp_files(ground, subnet, boots),
            observed.tftp,
            whose=projection.whose,
            block_size=partial(_block_size, _block_sizes(ground)),
            single_port=ground.config.tftp.single_port,
        )
        for subnet in {each.address.ip: each for each in ground.subnets}.values()
    ]
    ground.instruments.tftp(made)
    return made


def _block_sizes(ground: Ground) -> list[tuple[IPv4Network, int]]:
    """The largest TFTP block in each network."""
    most = {section.key: section.tftp_block_size for section in ground.config.subnet}
    return [(subnet.network, most[subnet.interface]) for subnet in ground.subnets]


def _block_size(sizes: Sequence[tuple[IPv4Network, int]], client: str) -> int:
    """That of the network in which a client has its address; of nobody's network, the least of all."""
    address = IPv4Address(client)
    found = (size for network, size in sizes if address in network)
    return next(found, min(size for _, size in sizes))


def _tftp_files(ground: Ground, subnet: Subnet, boots: Boots) -> FileSource:
    start = ipxe.start_script(subnet.boot_url).encode()
    signed = grub.start_config(subnet.boot_url).encode()
    rendered = RenderedFiles(
        {
            r"autoexec\.ipxe": lambda _match, _client: start,
            r"(.*/)?grub\.cfg": lambda _match, _client: signed,
            r"grub/([0-9a-f:]{17})\.cfg": lambda match, _client: grub.config(
                boots.disk_decided.get(match[1].lower(), NextEntry()), subnet.boot_url, MacAddress(match[1].lower())
            ).encode(),
        }
    )
    sources: list[FileSource] = [rendered, DirectoryFiles(ground.config.boot.programs)]
    if ground.config.tftp.extra_root is not None:
        sources.append(DirectoryFiles(ground.config.tftp.extra_root))
    return Overlay(sources)


def _dns(ground: Ground, observed: Observations) -> DnsServer:
    section = ground.config.dns
    forwarder = Forwarder(section.forwarders, observed.other) if section.forwarders else None
    networks = [subnet.network for subnet in ground.subnets]
    server = DnsServer(ground.addresses, section.port, ground.zone, forwarder, networks, observed.other)
    ground.instruments.dns(server)
    return server


def sites(
    ground: Ground, files: BootFiles, fleet: StoredFleet, projection: Projection, observed: Observations, proof: Proof
) -> list[Site]:
    """Boot HTTP and agent control, on our address in each subnet."""
    boot = BootHttp(fleet, files, ground.clock, observed.http, proof, observed.boot_screen)
    ground.instruments.boot(boot)
    at = ground.addresses
    return [
        Site(
            "boot HTTP",
            _known(ground, projection, "boot", boot.make_app()),
            tuple((each, files.port) for each in at),
            per_source=PER_SOURCE,
            polls=IdlePolls(fleet.poll, partial(ground.instruments.answered, "boot")),
        ),
        Site(
            "agent control",
            _known(ground, projection, "control", Control(fleet).make_app()),
            tuple((each, files.control_port) for each in at),
            ground.tls(at or ["127.0.0.1"]).context,
            per_source=PER_SOURCE,
        ),
    ]


def _known(ground: Ground, projection: Projection, name: str, app: web.Application) -> web.Application:
    """A site whose requests are counted, and logged with the machine that they come from."""
    app.middlewares.insert(0, known_by_address(projection.whose))
    app.middlewares.insert(0, impatient)
    return ground.instruments.site(name, app)
