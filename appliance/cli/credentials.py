"""Log-ins of this user, in ``~/.config/qrm/credentials.json``, readable by nobody else."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from appliance.errors import ApplianceError

_LOGIN_HINT = "log in with: qrm login https://ADDRESS:8443"


@dataclass(frozen=True, slots=True)
class Server:
    """One appliance, as this user knows it."""

    url: str
    """Scheme, host and port, without a slash at the end."""
    user: str
    token: str
    ca: str
    """PEM of the authority that its certificate has to be signed by."""
    pinned: bool
    """The authority is the appliance's own, agreed to by fingerprint."""


@dataclass(slots=True)
class Credentials:
    """All log-ins; ``current`` is the one that commands use unless told otherwise."""

    current: str = ""
    servers: dict[str, Server] = field(default_factory=dict)

    def chosen(self, url: str | None) -> Server:
        """The log-in for ``url``, or the current one; raises ApplianceError where there is none."""
        wanted = url or self.current
        if not wanted:
            raise ApplianceError("not-logged-in", "you are not logged in to an appliance", _LOGIN_HINT)
        if wanted not in self.servers:
            raise ApplianceError("not-logged-in", f"you are not logged in to {wanted}", f"qrm login {wanted}")
        return self.servers[wanted]


def path() -> Path:
    """Where log-ins are kept."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "qrm" / "credentials.json"


def load() -> Credentials:
    """What is kept; nothing where there is no file. Raises ApplianceError for one that cannot be read."""
    file = path()
    try:
        stored: dict[str, Any] = json.loads(file.read_text())
        servers = {url: Server(**values) for url, values in stored["servers"].items()}
        return Credentials(str(stored["current"]), servers)
    except FileNotFoundError:
        return Credentials()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "delete the file and log in again"
        raise ApplianceError("credentials-unreadable", f"{file}: {error}", hint) from error


def save(credentials: Credentials) -> None:
    """Keep them; the file is replaced whole and is private from its first byte on."""
    file = path()
    text = json.dumps({"current": credentials.current, "servers": _plain(credentials)}, indent=1)
    part = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        part.replace(file)
    except OSError as error:
        raise ApplianceError("credentials-unwritable", f"{file}: {error.strerror}", "look at its directory") from error


def _plain(credentials: Credentials) -> dict[str, dict[str, Any]]:
    return {url: asdict(server) for url, server in credentials.servers.items()}
