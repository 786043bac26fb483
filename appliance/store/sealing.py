"""Secrets that have to be read again (passwords, layers of roots, seeds), sealed before the store has them.

AES-256-GCM (NIST SP 800-38D) with a fresh nonce each time. What a secret belongs to is authenticated with it: sealed
for one machine, it opens for no other. The key stands in a file beside the store, never in it.
"""

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.errors import ApplianceError

KEY_BYTES = 32
_NONCE = 12
_VERSION = b"\x01"


class Sealer:
    """Seals and opens with one key."""

    def __init__(self, key: bytes) -> None:
        """``key`` has KEY_BYTES; raises ValueError otherwise."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)
        self._marking = hmac.digest(key, b"appliance marks of secrets", "sha256")

    def mark(self, secret: str) -> str:
        """The same for the same secret, and for no other; without the key nobody can try secrets against it."""
        return hmac.digest(self._marking, secret.encode(), "sha256").hex()[:32]

    def seal(self, secret: str, of: str) -> bytes:
        """The secret of ``of``, unreadable without the key. An empty secret is none: no bytes."""
        if not secret:
            return b""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret.encode(), _bound(of))

    def open(self, sealed: bytes, of: str) -> str:
        """What was sealed for ``of``; raises ApplianceError ``secret-unreadable`` for anything else."""
        if not sealed:
            return ""
        nonce, hidden = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            if sealed[:1] != _VERSION:
                raise InvalidTag
            return self._cipher.decrypt(nonce, hidden, _bound(of)).decode()
        except (InvalidTag, ValueError) as error:
            text = "the secret that is stored cannot be read: the key that it was sealed with is another, or gone"
            hint = "give it once more where it was given: the settings of the power switch, or the deployment"
            raise ApplianceError("secret-unreadable", text, hint) from error


def _bound(of: str) -> bytes:
    return b"appliance secret of " + of.encode()
