"""What a client is told of its network beyond its address: which options, and in which order (pure)."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network

from appliance.dhcp_options import ROUTES, has_default_route, route_octets
from appliance.netboot.dhcp.options import Code, encode_addresses
from appliance.netboot.dhcp.request import Request
from appliance.netboot.dhcp.subnet import Subnet

KEPT = 256
"""Different questions whose answers are remembered; a building has a dozen."""
_OF_BOOTING = (Code.VENDOR_INFORMATION, Code.TFTP_SERVER_NAME, Code.BOOT_FILE)
"""What firmware boots by: that is ours to say, and theirs to whom we say nothing else."""


class Told:
    """What the clients of one subnet are told. Most ask for the same things, so that answers are kept."""

    def __init__(self, subnet: Subnet) -> None:
        self._subnet, self._chosen = subnet, dict(subnet.options)
        self._kept: dict[tuple[bytes, bool], Mapping[int, bytes]] = {}

    def to(self, request: Request, hostname: str, of_machine: Mapping[int, bytes] | None) -> Mapping[int, bytes]:
        """Options by code; those that users set for the machine go before those of the subnet."""
        if hostname or of_machine:
            return parameters(request, self._subnet, hostname, self._chosen | dict(of_machine or {}))
        key = request.wanted, request.client.boots
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = parameters(request, self._subnet, "", self._chosen)
        return self._kept[key]


def parameters(request: Request, subnet: Subnet, hostname: str, chosen: Mapping[int, bytes]) -> dict[int, bytes]:
    """Options by code. What we know of the subnet is told to everybody; `chosen`, which users set for the subnet or
    the machine, goes over it, and further options of it to who asks for them or does not say what it asks for.
    """
    ours, wanted = _network(subnet, hostname), request.wanted
    told = {code: value for code, value in chosen.items() if not wanted or code in wanted or code in ours}
    if request.client.boots:
        told = {code: value for code, value in told.items() if code not in _OF_BOOTING}
    every = ours | told
    if ROUTES in every:
        every[ROUTES] = _with_default(every[ROUTES], every.get(Code.ROUTER, b""))
    return _in_order(every, wanted)


def _network(subnet: Subnet, hostname: str) -> dict[int, bytes]:
    """Everything about the subnet that we know; empty values are left out."""
    network = subnet.network
    options: dict[int, bytes] = {
        Code.SUBNET_MASK: network.netmask.packed,
        Code.ROUTER: b"" if subnet.gateway is None else subnet.gateway.packed,
        Code.DNS_SERVERS: encode_addresses(subnet.dns),
        Code.DOMAIN_NAME: subnet.domain.encode("ascii", "ignore"),
        Code.HOST_NAME: hostname.encode("ascii", "ignore"),
        Code.BROADCAST_ADDRESS: network.broadcast_address.packed,
        Code.NTP_SERVERS: encode_addresses(subnet.ntp),
    }
    return {code: value for code, value in options.items() if value}


def _with_default(routes: bytes, routers: bytes) -> bytes:
    """Who reads these routes ignores the router option, and would have no way out (RFC 3442)."""
    if not routers or has_default_route(routes):
        return routes
    return routes + route_octets(IPv4Network("0.0.0.0/0"), IPv4Address(routers[:4]))


def _in_order(options: dict[int, bytes], wanted: bytes) -> dict[int, bytes]:
    """In the client's order (RFC 2132 section 9.8), the mask before the router whatever it says (section 3.3)."""
    if not wanted:
        return options
    first = (Code.SUBNET_MASK,) if Code.ROUTER in wanted else ()
    codes = dict.fromkeys((*first, *wanted, *options))
    return {code: options[code] for code in codes if code in options}
