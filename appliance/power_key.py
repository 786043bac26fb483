"""The key that passwords of power switches are sealed with: a file of the state directory, made at the first start.

It is no ``*.pem``: a backup takes it only when it is sealed with a passphrase itself.
"""

import os
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.state import write_whole

NAME = "power.key"
BYTES = 32


def power_key(state: Path) -> bytes:
    """The key; made where there is none. Raises ApplianceError ``power-key-unusable`` or ``state-unwritable``."""
    path = state / NAME
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = os.urandom(BYTES)
        write_whole(path, key, 0o600)
        return key
    except OSError as error:
        hint = "give it to the user that runs the daemon"
        raise ApplianceError("power-key-unusable", f"{path}: {error.strerror}", hint) from error
    if len(key) != BYTES:
        hint = "restore it from a backup, or remove it and type the passwords of all power switches again"
        raise ApplianceError("power-key-unusable", f"{path} is damaged: it has {len(key)} bytes", hint)
    return key
