"""Public SSH keys, each as the one line of a ``.pub`` file, and how they are named by their fingerprints. Pure.

Those that our own sshd is to take are read to their last byte: see ``authorized_keys``.
"""

import base64
import hashlib
from collections.abc import Sequence

from appliance.errors import Invalid

MOST_KEYS = 32
"""That are let into the appliance itself."""
LONGEST_LINE = 8_000
"""Characters: an RSA key of 16384 bits has 2,800."""
HINT = "paste the line of a .pub file"
BEGINNINGS = ("ssh-", "ecdsa-", "sk-")
"""Of the names of all kinds of keys."""


def fingerprint(blob: bytes) -> str:
    """SHA-256 of a key as ``ssh-keygen -l`` writes it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def check_lines(keys: Sequence[str]) -> tuple[str, ...]:
    """What may be given to other computers, whose SSH server may know kinds of keys that ours does not.

    Raises Invalid ``ssh-key-invalid`` for what is no public key in one line, a private one above all.
    """
    for key in keys:
        words = key.split(None, 2)
        if len(words) < 2 or "\n" in key.strip() or not words[0].startswith(BEGINNINGS):
            raise no_key(key, "ssh_keys")
    return tuple(key.strip() for key in keys)


def no_key(line: str, field: str) -> Invalid:
    """What is said of a line that is none, a private key above all."""
    shown = "a private key" if "PRIVATE" in line else repr(line[:30])
    return Invalid("ssh-key-invalid", f"{shown} is not an SSH public key", HINT, field)
