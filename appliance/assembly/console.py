"""The site for people and programs: console, API, live updates, metrics."""

import dataclasses
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.assembly.ground import OWN_NAME, Ground
from appliance.assembly.parts import Run, Site
from appliance.assembly.patience import impatient
from appliance.config import Config
from appliance.console_tls import ConsoleTls
from appliance.reconcile.imports import Imports
from appliance.reconcile.network_views import NetworkViews
from appliance.reconcile.network_wishes import NetworkWishes
from appliance.reconcile.own_networks import OwnNetworks
from appliance.reconcile.power_wishes import PowerWishes
from appliance.reconcile.subnet_standing import Standing
from appliance.reconcile.subnet_switches import SubnetSwitches
from appliance.reconcile.wishes import Wishes
from appliance.setup.first_start import FirstStart
from appliance.web.app import make_app
from appliance.web.certificate import CERTIFICATE
from appliance.web.services import Services


@dataclass(frozen=True, slots=True)
class NetworkParts:
    """What the site does with the network."""

    wishes: NetworkWishes
    switches: SubnetSwitches
    own: OwnNetworks
    standing: Callable[[str], Standing]


def console(
    ground: Ground,
    wishes: Wishes,
    network: NetworkParts,
    power: PowerWishes,
    imports: Imports,
    passed: Sequence[socket.socket],
    first: FirstStart | None = None,
) -> tuple[Site, Run]:
    """The site, and the loop that watches over its certificate; ``passed`` sockets take the place of ``listen``."""
    listen = tuple(_split(each) for each in ground.config.web.listen)
    names = _names(ground, [host for host, _ in listen])
    tls = ConsoleTls(ground.tls(names), ground.state, names, ground.clock)
    services = Services(
        store=ground.store,
        bus=ground.bus,
        wishes=wishes,
        network=NetworkViews(ground.store, ground.clock, ground.subnets, ground.off, ground.zone, network.standing),
        network_wishes=network.wishes,
        power_wishes=power,
        switches=network.switches,
        own_networks=network.own,
        imports=imports,
        clock=ground.clock,
        state_dir=ground.state,
        domain=ground.config.site.domain,
        fingerprint=ground.authority.fingerprint,
        config=plain(ground.config),
        metrics=ground.instruments.metrics,
        history=ground.instruments.history,
        hosts=ground.config.web.hosts,
        tls=tls,
        again=ground.again.set,
        config_path=ground.config_path,
        first_start=first,
        room=lambda: ground.room.space,
        trouble=lambda: ground.stuck.notice() or ground.room.notice(),
    )
    app = make_app(services)
    app.middlewares.insert(0, impatient)
    counted = ground.instruments.site("console", app, timed=True)
    return Site("console", counted, listen, tls.context, passed), app[CERTIFICATE].watch


def _names(ground: Ground, listen: Sequence[str]) -> list[str]:
    """What the console is reached by, as its certificate says it."""
    hosts = [host for host in listen if host not in ("0.0.0.0", "::")]  # noqa: S104 - names, not a bind
    own = [f"{OWN_NAME}.{ground.config.site.domain}", socket.gethostname(), "localhost", "127.0.0.1"]
    return list(dict.fromkeys([*own, *hosts, *ground.config.web.hosts, *ground.addresses]))


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
