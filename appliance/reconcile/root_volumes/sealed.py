"""Secrets of exports as the store keeps them: each opens for its export to its machine only."""

from appliance.errors import ApplianceError, Conflict
from appliance.root_volume import Grant
from appliance.store.sealing import Sealer


def sealed(sealer: Sealer, of: Grant, secret: str) -> bytes:
    """The secret of an export, unreadable without the key."""
    return sealer.seal(secret, _belongs(of))


def opened(sealer: Sealer, of: Grant, kept: bytes) -> str:
    """The secret of an export; raises Conflict ``export-unreadable``."""
    try:
        secret = sealer.open(kept, _belongs(of))
    except ApplianceError:
        secret = ""
    if not secret:
        text = "the secret of the export of its root cannot be read: it came back from a backup without its key"
        raise Conflict("export-unreadable", text, "stop the deployment and start it again: that makes a new one")
    return secret


def _belongs(of: Grant) -> str:
    return f"export {of.export.id} to machine {of.machine}"
