"""The table of drivers: from settings to the switch of one machine."""

from collections.abc import Callable, Mapping

from appliance.power.driver import PowerDriver, Target
from appliance.power.manual import ManualSwitch
from appliance.power_switch import PowerKind, PowerSettings


def driver(settings: PowerSettings, secret: str, target: Target) -> PowerDriver:
    """The switch of one machine. ``settings`` and ``secret`` are ``checked``; nothing is opened, nothing sent."""
    return DRIVERS[settings.kind](settings, secret, target)


def _manual(settings: PowerSettings, secret: str, target: Target) -> PowerDriver:
    return ManualSwitch(target.name)


DRIVERS: Mapping[PowerKind, Callable[[PowerSettings, str, Target], PowerDriver]] = {
    PowerKind.MANUAL: _manual,
    PowerKind.WAKE_ON_LAN: _manual,
    PowerKind.IPMI: _manual,
    PowerKind.REDFISH: _manual,
    PowerKind.LIBVIRT: _manual,
}
"""One line for each kind."""
