"""The switch that a machine's own inventory suggests: its controller, as the agent found it. Pure.

The agent's words come from the network: what is suggested has been looked at as if a stranger had typed it, and
nothing is sent anywhere before a person has agreed to it.
"""

import ipaddress
from typing import Any

from appliance.errors import Invalid
from appliance.power_switch import PowerKind, PowerSettings, checked

_KINDS = (PowerKind.IPMI, PowerKind.REDFISH)


def proposed(inventory: dict[str, Any] | None) -> PowerSettings | None:
    """Kind, address and port of the machine's controller; None where there is none that could be reached.

    User, fingerprint and password are for a person to add: the settings are not ``checked`` as a whole.
    """
    bmc = (inventory or {}).get("bmc")
    if not isinstance(bmc, dict):
        return None
    kind = PowerKind(bmc["kind"]) if bmc.get("kind") in _KINDS else PowerKind.IPMI
    address = _reachable(bmc.get("address"))
    if not address:
        return None
    port = bmc.get("port") if kind is PowerKind.REDFISH else None
    found = PowerSettings(kind, address, port if isinstance(port, int) and not isinstance(port, bool) else 0)
    try:
        return checked(_with_user(found)) and found
    except Invalid:
        return None


def _with_user(settings: PowerSettings) -> PowerSettings:
    """Complete enough for ``checked`` to look at the rest."""
    return PowerSettings(settings.kind, settings.address, settings.port, "somebody")


def _reachable(said: object) -> str:
    """The address, if it is one of another computer; names are not taken, since DNS is ours to answer."""
    try:
        found = ipaddress.ip_address(said) if isinstance(said, str) else None
    except ValueError:
        return ""
    if found is None or found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local:
        return ""
    return str(found)
