"""What a controller shows to whoever asks: for an administrator to compare, and then to hold it to."""

from dataclasses import replace

from appliance.power.certificate import presented
from appliance.power_switch import PowerKind, PowerSettings, checked


async def shown_by(address: str, port: int) -> str:
    """SHA-256 of the certificate of the Redfish controller at this address; ``port`` 0: the usual one.

    Raises Invalid for what is no address, and PowerError where nobody answers there. Nothing is sent but a handshake.
    """
    settings = checked(PowerSettings(PowerKind.REDFISH, address, port, "anybody"))
    return await presented(replace(settings, user=""))
