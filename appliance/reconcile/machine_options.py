"""DHCP options that users set for machines: checked, and as the DHCP server is told them. Pure."""

from collections.abc import Iterable, Mapping

from appliance.dhcp_options import OptionError, normal_name, read_options
from appliance.errors import Invalid
from appliance.machine import Machine

FIELD = "dhcp_options"
MOST = 32
"""Options of one machine."""


def check_options(given: Mapping[str, str]) -> dict[str, str]:
    """The options as they are stored, under their names; raises Invalid for the first that cannot be sent."""
    if len(given) > MOST:
        raise Invalid("option-invalid", f"{len(given)} options are too many", f"{MOST} at most", FIELD)
    try:
        read_options(given, of_subnet=False)
    except OptionError as error:
        raise Invalid("option-invalid", f"option {error}", error.right, FIELD) from error
    return dict(sorted((normal_name(name), text.strip()) for name, text in given.items()))


def options_by_mac(machines: Iterable[Machine]) -> dict[str, dict[int, bytes]]:
    """What the DHCP server is told: code and octets for each interface of these machines."""
    return {mac: read_options(each.dhcp_options, of_subnet=False) for each in machines for mac in each.macs}
