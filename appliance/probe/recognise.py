"""Which of the DHCP servers is the appliance. Pure."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from appliance.probe.observed import Offer

SCRIPT_PATH = "/boot/script"
"""Where iPXE finds its script on an appliance: the one sign of it that no other server has by chance."""


def is_script_of_ours(url: str) -> bool:
    """Whether this is what an appliance tells iPXE."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.path == SCRIPT_PATH


def appliance_of(offers: Sequence[Offer], told: str | None) -> str | None:
    """Address of the appliance: as told, else of the one server that offers its boot script.

    None where that is not clear: another server that offers boot files must not pass for an appliance that is silent.
    """
    if told is not None:
        return told
    sure = {offer.server for offer in offers if is_script_of_ours(offer.boot_file)}
    return next(iter(sure)) if len(sure) == 1 else None


def offers_of(offers: Sequence[Offer], server: str | None) -> list[Offer]:
    """What one server offered, in the order in which it came."""
    return [offer for offer in offers if offer.server == server]


def base_url(offers: Sequence[Offer]) -> str | None:
    """Plain HTTP base URL of the appliance, from the script that it offers iPXE."""
    url = next((offer.boot_file for offer in offers if is_script_of_ours(offer.boot_file)), None)
    return f"http://{urlsplit(url).netloc}" if url else None
