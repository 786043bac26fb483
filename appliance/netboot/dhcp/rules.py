"""How a subnet is served, as far as users may switch it while it is (pure)."""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from appliance.netboot.dhcp.subnet import Mode, NetworkRoots, OtherServers, Subnet, UnknownMachines

RuleName = Literal["mode", "serve_non_pxe", "unknown_machines", "other_servers", "network_roots"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that the configuration file fixes, or that users chose; None: says nothing about it."""

    mode: Mode | None = None
    serve_non_pxe: bool | None = None
    unknown_machines: UnknownMachines | None = None
    other_servers: OtherServers | None = None
    network_roots: NetworkRoots | None = None


DEFAULTS = Rules("authoritative", True, "enlist", "refuse", "ask")
"""What holds where neither the file nor a user says anything."""
NAMES: tuple[RuleName, ...] = ("mode", "serve_non_pxe", "unknown_machines", "other_servers", "network_roots")


def said(rules: Rules) -> dict[str, Any]:
    """The rules that it says something about."""
    values = {each.name: getattr(rules, each.name) for each in fields(rules)}
    return {name: value for name, value in values.items() if value is not None}


def under(subnet: Subnet, fixed: Rules, chosen: Rules) -> Subnet:
    """The subnet under these rules: what the file fixes is never overridden."""
    return replace(subnet, **said(DEFAULTS) | said(chosen) | said(fixed))
