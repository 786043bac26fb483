"""A rescue: a machine in the maintenance stack, its disks untouched, with SSH open to a user's keys. Pure."""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from appliance import ssh_keys

_HOST_KEY = re.compile(r"((?:ssh|ecdsa)-[a-z0-9-]{1,40}) ([A-Za-z0-9+/]{40,2000}={0,2})")
LARGEST_HOST_KEYS = 8


@dataclass(frozen=True, slots=True)
class Rescue:
    """What a user wants of a machine's rescue, and what is so. A machine without one is left as it is."""

    ssh_keys: tuple[str, ...] = ()
    """Public keys that may log in as root, and no others."""
    ended: bool = False
    """The user wants it over: the machine is to restart, since somebody else was root in what runs on it."""
    since: float | None = None
    """Unix time at which SSH opened in the stack that runs now; None while it is not open."""
    address: str | None = None
    """Where it listens, port 22."""
    host_keys: tuple[str, ...] = ()
    """Public host keys, made for this boot only."""

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the host keys, as ``ssh`` shows them."""
        return tuple(fingerprint(key) for key in self.host_keys)


def opened(rescue: Rescue, result: dict[str, Any], address: str | None, now: float) -> Rescue:
    """The rescue once the agent said that SSH is open; ``result`` comes from the network."""
    return replace(rescue, since=now, address=address, host_keys=_host_keys(result.get("host_keys")))


def closed(rescue: Rescue) -> Rescue:
    """The rescue after its machine restarted: what was open is gone, and opens again where it is wanted."""
    return replace(rescue, since=None, address=None, host_keys=())


def fingerprint(key: str) -> str:
    """SHA-256 of a public key as OpenSSH writes it, such as ``SHA256:... (ssh-ed25519)``."""
    kind, blob = key.split()[:2]
    return f"{ssh_keys.fingerprint(base64.b64decode(blob))} ({kind})"


def _host_keys(said: object) -> tuple[str, ...]:
    listed: Iterable[object] = said if isinstance(said, list) else ()
    return tuple(key for key in listed if isinstance(key, str) and _is_host_key(key))[:LARGEST_HOST_KEYS]


def _is_host_key(key: str) -> bool:
    found = _HOST_KEY.fullmatch(key)
    try:
        return found is not None and bool(base64.b64decode(found[2], validate=True))
    except binascii.Error:
        return False
