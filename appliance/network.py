"""The computer's own network interfaces, asked from the kernel each time. The only pyroute2 import."""

from ipaddress import IPv4Interface

from pyroute2 import IPRoute

from appliance.errors import ApplianceError


def interface_address(name: str) -> IPv4Interface:
    """The first global IPv4 address of an interface, with its prefix.

    Raises ApplianceError ``interface-missing`` or ``interface-without-address``.
    """
    with IPRoute() as netlink:
        indices = netlink.link_lookup(ifname=name)
        if not indices:
            others = ", ".join(sorted(link.get_attr("IFLA_IFNAME") for link in netlink.get_links()))
            hint = f"this computer has {others}"
            raise ApplianceError("interface-missing", f"[[subnet]] {name}: there is no such interface", hint)
        for message in netlink.get_addr(index=indices[0]):
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            if address and "." in address and message["scope"] == 0:
                return IPv4Interface(f"{address}/{message['prefixlen']}")
    hint = f"give it one, for example: ip address add 10.77.0.1/24 dev {name}"
    raise ApplianceError("interface-without-address", f"[[subnet]] {name} has no IPv4 address", hint)
