"""The one-time set-up link that the daemon leaves in its state directory."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from appliance.errors import ApplianceError


@dataclass(frozen=True, slots=True)
class SetupLink:
    """``target`` is path and query, such as ``/setup?token=...``."""

    target: str
    fingerprint: str
    """SHA-256 of the certificate authority, hex."""

    @property
    def token(self) -> str:
        """What ``POST /api/v1/setup`` asks for."""
        return parse_qs(urlsplit(self.target).query)["token"][0]


def read_setup_link(state: Path) -> SetupLink:
    """The link in the daemon's ``state`` directory; raises ``lab-setup`` when set-up is done already."""
    try:
        target = (state / "setup-url").read_text().splitlines()[0].strip()
    except (FileNotFoundError, IndexError):
        raise ApplianceError("lab-setup", "there is no set-up link: the appliance has been set up") from None
    return SetupLink(target, fingerprint(state))


def fingerprint(state: Path) -> str:
    """SHA-256 of the certificate authority; empty before the daemon made it."""
    path = state / "ca-fingerprint"
    return path.read_text().strip() if path.exists() else ""
