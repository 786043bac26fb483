"""The table of drivers: from settings to the switch of one machine."""

from collections.abc import Callable, Mapping

from appliance.power.driver import PowerDriver, Target
from appliance.power.ipmi import Ipmi
from appliance.power.libvirt import Libvirt
from appliance.power.manual import ManualSwitch
from appliance.power.redfish.driver import Redfish
from appliance.power.wake_on_lan import WakeOnLan
from appliance.power_switch import PowerKind, PowerSettings, port_of


def driver(settings: PowerSettings, secret: str, target: Target) -> PowerDriver:
    """The switch of one machine. ``settings`` and ``secret`` are ``checked``; nothing is opened, nothing sent."""
    return DRIVERS[settings.kind](settings, secret, target)


DRIVERS: Mapping[PowerKind, Callable[[PowerSettings, str, Target], PowerDriver]] = {
    PowerKind.MANUAL: lambda settings, secret, target: ManualSwitch(target.name),
    PowerKind.WAKE_ON_LAN: lambda settings, secret, target: WakeOnLan(
        target, settings.address, port_of(settings), secret
    ),
    PowerKind.IPMI: lambda settings, secret, target: Ipmi(settings, secret),
    PowerKind.REDFISH: lambda settings, secret, target: Redfish(settings, secret),
    PowerKind.LIBVIRT: lambda settings, secret, target: Libvirt(settings),
}
"""One line for each kind."""
