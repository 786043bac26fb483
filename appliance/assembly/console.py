"""The site for people and programs: console, API, live updates, metrics."""

import dataclasses
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.assembly.ground import OWN_NAME, Ground
from appliance.assembly.parts import Run, Site
from appliance.assembly.patience import impatient
from appliance.assembly.pools import Storage
from appliance.assembly.vms import VirtualMachines
from appliance.config import Config
from appliance.console_tls import ConsoleTls
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.dhcp.wire import ports_of
from appliance.networking.reached import families
from appliance.power_key import power_key
from appliance.privileged.client import Privileged
from appliance.reconcile.intake import Intake
from appliance.reconcile.network_views import NetworkViews
from appliance.reconcile.network_wishes import NetworkWishes
from appliance.reconcile.own_addresses import OwnAddresses
from appliance.reconcile.own_networks import OwnNetworks
from appliance.reconcile.power_wishes import PowerWishes
from appliance.reconcile.recipes import Recipes
from appliance.reconcile.seeds import Seeds
from appliance.reconcile.set_aside import SetAside
from appliance.reconcile.subnet_standing import Standing
from appliance.reconcile.subnet_switches import SubnetSwitches
from appliance.reconcile.updates import Updates
from appliance.reconcile.wishes import Wishes
from appliance.server_tls import KEPT
from appliance.setup.first_start import FirstStart
from appliance.store.sealing import Sealer
from appliance.web.app import make_app
from appliance.web.certificate import CERTIFICATE
from appliance.web.services import Services


@dataclass(frozen=True, slots=True)
class NetworkParts:
    """What the site does with the network."""

    wishes: NetworkWishes
    switches: SubnetSwitches
    own: OwnNetworks
    aside: SetAside
    standing: Callable[[str], Standing]


def console(
    ground: Ground,
    wishes: Wishes,
    network: NetworkParts,
    power: PowerWishes,
    intake: Intake,
    recipes: Recipes,
    passed: Sequence[socket.socket],
    updates: Updates,
    storage: Storage,
    vms: VirtualMachines,
    first: FirstStart | None = None,
) -> tuple[Site, dict[str, Run]]:
    """The site, and the loops that look after its certificate; ``passed`` sockets take the place of ``listen``."""
    listen = tuple(_split(each) for each in ground.config.web.listen)
    names = _names(ground, [host for host, _ in listen])
    tls = ConsoleTls(ground.tls(names, ground.state / KEPT), ground.state, names, ground.clock)
    services = Services(
        store=ground.store,
        bus=ground.bus,
        wishes=wishes,
        network=NetworkViews(
            ground.store,
            ground.clock,
            ground.subnets,
            ground.off,
            ground.zone,
            network.standing,
            lambda: network.aside.aside,
        ),
        network_wishes=network.wishes,
        power_wishes=power,
        switches=network.switches,
        own_networks=network.own,
        imports=intake.imports,
        intake=intake,
        recipes=recipes,
        seeds=Seeds(ground.store, Sealer(power_key(ground.state))),
        clock=ground.clock,
        state_dir=ground.state,
        domain=ground.config.site.domain,
        fingerprint=ground.authority.fingerprint,
        config=plain(ground.written),
        metrics=ground.instruments.metrics,
        history=ground.instruments.history,
        hosts=ground.config.web.hosts,
        tls=tls,
        again=ground.again.set,
        config_path=ground.config_path,
        first_start=first,
        updates=updates,
        storage=lambda: storage.parts,
        vms=lambda: vms.parts.vms,
        vm_figures=lambda: vms.figures.figures,
        room=lambda: ground.room.space,
        serves=lambda: serves(ground.subnets, tftp=ground.config.tftp.enabled),
        trouble=lambda: ground.stuck.notice() or ground.room.notice(),
    )
    app = make_app(services)
    app.middlewares.insert(0, impatient)
    counted = ground.instruments.site("console", app, timed=True)
    loops: dict[str, Run] = {"console certificate": app[CERTIFICATE].watch}
    if wanted := families(host for host, _ in listen):
        own = OwnAddresses(ground.store, ground.bus, ground.clock, services.privileged, wanted, tls.follow)
        network.own.changed.append(own.ring)
        loops["own addresses"] = own.run
    return Site("console", counted, listen, tls.context, passed), loops


def serves(subnets: Iterable[Subnet], *, tftp: bool) -> list[str]:
    """What is meant to be bound: users switch DHCP off, and what the configuration fixes may be off altogether."""
    modes = [each.mode for each in subnets]
    return [*(["dhcp"] if any(ports_of(mode) for mode in modes) else []), *(["tftp"] if tftp and modes else [])]


def _names(ground: Ground, listen: Sequence[str]) -> list[str]:
    """What the console is reached by, as its certificate says it."""
    hosts = [host for host in listen if host not in ("0.0.0.0", "::")]  # noqa: S104 - names, not a bind
    own = [f"{OWN_NAME}.{ground.config.site.domain}", socket.gethostname(), "localhost", "127.0.0.1"]
    # On a flashed appliance the firewall lets nobody to it on networks that are not for management (OwnAddresses).
    served = () if Privileged().here else ground.addresses
    return list(dict.fromkeys([*own, *hosts, *ground.config.web.hosts, *served]))


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


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)
