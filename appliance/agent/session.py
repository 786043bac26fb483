"""Who this machine is for the appliance, from the one-time boot token; survives a restart of the agent."""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .commandline import Boot
from .control import Control
from .errors import AgentError


@dataclass(frozen=True)
class Session:
    """What the redemption brought. `nonce` ties it to one boot; `token` is the machine token."""

    nonce: str
    token: str
    machine: str
    name: str
    poll: str


@dataclass(frozen=True)
class Identity:
    """What identifies this machine on the network and on its main board."""

    mac: str
    macs: Sequence[str]
    uuid: str | None
    firmware: str


def open_session(directory: Path, boot: Boot, identity: Identity, control: Control) -> Session:
    """The session of this boot: the one an earlier agent opened, or a new one.

    The machine token is made up here and kept before it is sent, so that a redemption whose answer was lost
    is repeated with the same token and counts as the same call. Raises Refused.
    """
    session = _load(directory, boot) or _redeem(directory, boot, identity, control)
    control.token = session.token
    return session


def _load(directory: Path, boot: Boot) -> Session | None:
    try:
        stored = json.loads((directory / "session.json").read_text())
        session = Session(**stored)
    except (OSError, ValueError, TypeError):
        return None
    return session if session.nonce == boot.nonce else None


def _redeem(directory: Path, boot: Boot, identity: Identity, control: Control) -> Session:
    token = _own_token(directory, boot)
    body = {
        "boot_token": boot.token,
        "machine_token": token,
        "nonce": boot.nonce,
        "mac": identity.mac,
        "macs": list(identity.macs),
        "uuid": identity.uuid,
        "firmware": identity.firmware,
    }
    session = _session(boot, token, control.insist("POST", "redeem", body).body)
    keep_secret(directory / "session.json", json.dumps(asdict(session)))
    return session


def _session(boot: Boot, token: str, answer: dict[str, Any]) -> Session:
    try:
        return Session(boot.nonce, token, str(answer["machine"]), str(answer["name"]), str(answer["poll"]))
    except (KeyError, TypeError) as error:
        raise AgentError(f"the appliance's answer to the boot token makes no sense: {error}") from error


def _own_token(directory: Path, boot: Boot) -> str:
    path = directory / f"machine-token-{boot.nonce.replace('/', '_')}"
    if path.exists():
        return path.read_text()
    token = secrets.token_hex(32)
    keep_secret(path, token)
    return token


def keep_secret(path: Path, text: str) -> None:
    """Write `text` to `path` in one piece, for root's eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
