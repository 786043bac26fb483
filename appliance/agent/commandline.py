"""What the boot script put on the kernel command line (pure). See "Maintenance stack" in ARCHITECTURE.md."""

import re
import shlex
from dataclasses import dataclass

from .errors import AgentError

HOW_TO_BOOT = "boot this machine from the network, through the appliance"
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class Boot:
    """One boot of the maintenance stack, as the appliance armed it."""

    server: str
    """Plain HTTP base, without a slash at its end."""
    control: str
    """HTTPS base of the agent control, without a slash at its end."""
    ca: str
    """SHA-256 of the DER form of the certificate authority, 64 hex digits in lower case."""
    token: str
    nonce: str
    mac: str | None
    """MAC address of the interface that booted, `aa:bb:cc:dd:ee:ff`; None when nobody said."""


def parse(line: str) -> Boot:
    """The `qrm.` words of a kernel command line. Raises AgentError that names what is missing or wrong."""
    words = _words(line)
    mac = mac_of(words.get("qrm.mac", "")) or mac_of(words.get("BOOTIF", ""))
    return Boot(
        server=_base(words, "qrm.server", "http://"),
        control=_base(words, "qrm.control", "https://"),
        ca=_fingerprint(words),
        token=_required(words, "qrm.token"),
        nonce=_required(words, "qrm.nonce"),
        mac=mac,
    )


def mac_of(text: str) -> str | None:
    """A MAC address in the usual form from `AA:BB:..`, `aa-bb-..` or PXELINUX's `01-aa-bb-..`, else None."""
    mac = text.strip().lower().replace("-", ":")
    if mac.startswith("01:") and mac.count(":") == 6:  # the hardware type that PXELINUX puts before it
        mac = mac[3:]
    return mac if _MAC.fullmatch(mac) else None


def identifies(mac: str | None) -> bool:
    """Whether a MAC address is one card's own: not all zeros, and no group address (IEEE 802, 8.2)."""
    return mac is not None and mac != "00:00:00:00:00:00" and not int(mac[:2], 16) & 1


def _words(line: str) -> dict[str, str]:
    try:
        parts = shlex.split(line)
    except ValueError:  # an unpaired quote in somebody's extra argument must not hide ours
        parts = line.split()
    return dict(part.split("=", 1) for part in parts if "=" in part)


def _required(words: dict[str, str], key: str) -> str:
    value = words.get(key, "")
    if not value:
        raise AgentError(f"the kernel command line has no {key}=", HOW_TO_BOOT)
    return value


def _base(words: dict[str, str], key: str, scheme: str) -> str:
    value = _required(words, key)
    if not value.startswith(scheme):
        raise AgentError(f"{key}={value} on the kernel command line does not start with {scheme}", HOW_TO_BOOT)
    return value.rstrip("/")


def _fingerprint(words: dict[str, str]) -> str:
    value = _required(words, "qrm.ca").lower().replace(":", "")
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise AgentError("qrm.ca= on the kernel command line is not a SHA-256 fingerprint", HOW_TO_BOOT)
    return value
