"""The network's half of the web layer's services, over a store and without servers."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import Any

from appliance.events import Bus
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.dns.zone import Zone
from appliance.reconcile.kept_names import KeptNames
from appliance.reconcile.network_views import NetworkViews
from appliance.reconcile.network_wishes import NetworkWishes
from appliance.store.store import Store


def network_parts(
    store: Store, bus: Bus, clock: Callable[[], float], subnets: Sequence[Subnet], domain: str = "lab.test"
) -> dict[str, Any]:
    """``network`` and ``network_wishes`` of Services; names are served by a zone, addresses by nobody."""
    own = [IPv4Address(subnet.address.ip) for subnet in subnets]
    zone = Zone(domain, [subnet.address.network for subnet in subnets], "appliance", own, 60)
    names = KeptNames(store, bus, zone)
    return {
        "network": NetworkViews(store, clock, subnets, ["off0"], zone),
        "network_wishes": NetworkWishes(store, bus, clock, subnets, domain, apply=names.refresh),
    }
