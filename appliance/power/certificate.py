"""The certificate that a controller shows: read once for a person to accept, and held to from then on."""

import asyncio
import hashlib
import ssl

from appliance.power.words import shown
from appliance.power_switch import PowerError, PowerSettings, port_of

SECONDS = 10.0


async def presented(settings: PowerSettings) -> str:
    """SHA-256 of the certificate that the controller shows now, as ``PowerSettings.fingerprint`` wants it.

    Nothing is sent to it but the handshake. Raises PowerError ``power-unreachable``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is asked who it is; nothing is believed, nothing secret is sent
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(settings.address, port_of(settings), ssl=context)
    except (OSError, TimeoutError, ValueError) as error:
        words = shown(str(error)) or "no answer in time"
        text = f"the controller {settings.address} shows no certificate: {words}"
        raise PowerError("power-unreachable", text, "look at its address and port", "address") from None
    try:
        return hashlib.sha256(writer.get_extra_info("ssl_object").getpeercert(binary_form=True)).hexdigest()
    finally:
        writer.transport.abort()
