"""The network's half of the web layer's services, over a store and without servers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from appliance.events import Bus
from appliance.netboot.dhcp.rules import Rules
from appliance.netboot.dhcp.served import ServedSubnets
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.dns.zone import Zone
from appliance.privileged.client import Privileged
from appliance.reconcile.kept_names import KeptNames
from appliance.reconcile.network_views import NetworkViews
from appliance.reconcile.network_wishes import NetworkWishes
from appliance.reconcile.own_networks import OwnNetworks
from appliance.reconcile.power_wishes import PowerWishes
from appliance.reconcile.subnet_standing import Standing
from appliance.reconcile.subnet_switches import SubnetSwitches
from appliance.store.sealing import KEY_BYTES, Sealer
from appliance.store.store import Store

STANDING = Standing()
"""How service stands on every subnet."""


def network_parts(
    store: Store, bus: Bus, clock: Callable[[], float], subnets: Sequence[Subnet], domain: str = "lab.test"
) -> dict[str, Any]:
    """What Services have of the network and of power; names are served by a zone, addresses by nobody."""
    own = [IPv4Address(subnet.address.ip) for subnet in subnets]
    zone = Zone(domain, [subnet.address.network for subnet in subnets], "appliance", own, 60)
    names = KeptNames(store, bus, zone)
    fixed = {subnet.interface: Rules(serve_non_pxe=subnet.serve_non_pxe) for subnet in subnets}
    served = ServedSubnets(subnets)
    switches = SubnetSwitches(store, bus, clock, served, fixed)

    def standing(interface: str) -> Standing:
        return replace(STANDING, fixed=switches.fixed(interface))

    return {
        "own_networks": OwnNetworks(store, bus, clock, Privileged(Path("/nonexistent/helper.sock"))),
        "switches": switches,
        "network": NetworkViews(store, clock, served, ["off0"], zone, standing),
        "power_wishes": PowerWishes(store, bus, clock, Sealer(b"k" * KEY_BYTES)),
        "network_wishes": NetworkWishes(store, bus, clock, subnets, domain, apply=names.refresh),
    }
