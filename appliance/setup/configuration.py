"""The daemon's configuration file, as set-up writes it. Pure.

What users may switch at run time (how a subnet is served, what unknown machines get) is not in it: the file would fix
it. It goes to the store, see ``rules``.
"""

import json
from ipaddress import IPv4Interface
from typing import Any

from appliance.setup.value import BY_DHCP, Provisioning, SetUp

CONSOLE_PORT = 8443
DEMO = "/usr/share/qrm/demo"
"""Where the image has the demo system."""
RESOLVER = "127.0.0.54"
"""systemd-resolved as a proxy (systemd-resolved.service(8)): it asks the name servers that the appliance's own networks
have at the moment, whether DHCP named them or somebody wrote them down. Unlike 127.0.0.53 it hands on what they say as
it is, with all that DNSSEC needs.
"""
_HEAD = """\
# Written by set-up. On an appliance it is changed through the console, the API or qrm: what is edited here by hand
# stays until the next change.
"""


def configuration(set_up: SetUp) -> str:
    """The text of ``appliance.toml``; interfaces are to be there by name already."""
    sections = [
        ("[site]", {"domain": set_up.site.domain, "preload": [DEMO]}),
        *([("[[subnet]]", _subnet(set_up, set_up.provisioning))] if set_up.provisioning else []),
        ("[dns]", {"forwarders": [RESOLVER]}),
        ("[web]", {"listen": [f"0.0.0.0:{CONSOLE_PORT}"], "hosts": _hosts(set_up)}),
    ]
    return "\n".join([_HEAD, *(_section(head, values) for head, values in sections)])


def _section(head: str, values: dict[str, Any]) -> str:
    # JSON's strings, numbers, booleans and lists are also TOML's.
    return "".join([f"{head}\n", *(f"{key} = {json.dumps(value)}\n" for key, value in values.items())])


def _subnet(set_up: SetUp, provisioning: Provisioning) -> dict[str, Any]:
    gateway = provisioning.gateway or (_own(set_up) if provisioning.nat else _way_out(set_up))
    values: dict[str, Any] = {"interface": provisioning.nic, "ranges": list(provisioning.ranges)}
    if gateway:
        values["gateway"] = gateway
    own = _own(set_up)
    if own:
        values["ntp"] = [own]
    if provisioning.package_proxy:
        values["package_proxy"] = provisioning.package_proxy
    return values


def _own(set_up: SetUp) -> str:
    """Our own address on the provisioning network; empty where another server gives it."""
    text = set_up.provisioning_address
    return "" if text in ("", BY_DHCP) else str(IPv4Interface(text).ip)


def _way_out(set_up: SetUp) -> str:
    """The router of the one network that everybody is on."""
    return set_up.management.gateway if set_up.one_network else ""


def _hosts(set_up: SetUp) -> list[str]:
    """By what browsers reach the console: its names, and its address where that is fixed."""
    names = [f"{set_up.site.host_name}.{set_up.site.domain}", set_up.site.host_name]
    if set_up.management.address != BY_DHCP:
        names.append(str(IPv4Interface(set_up.management.address).ip))
    return names


def rules(set_up: SetUp) -> dict[str, dict[str, str | bool]]:
    """How subnets are to be served, by interface, as if a user had switched it."""
    if set_up.provisioning is None:
        return {}
    chosen = {"mode": set_up.provisioning.dhcp, "unknown_machines": set_up.provisioning.unknown_machines}
    return {set_up.provisioning.nic: {**chosen}}
