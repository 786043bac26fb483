"""`/etc/qrm/resident.json` and `/etc/qrm/ca.pem`: what the agent left here at deployment."""

import json
from dataclasses import dataclass
from pathlib import Path


class BadSettings(Exception):
    """The settings are not there or make no sense; only a new deployment helps."""


@dataclass(frozen=True)
class Settings:
    """`control` is the HTTPS base of the appliance, `token` this deployment's secret, `authority` its CA (PEM)."""

    control: str
    token: str
    authority: str


def load(directory: Path) -> Settings:
    """Read the settings. Raises BadSettings that names the file."""
    path = directory / "resident.json"
    try:
        said = json.loads(path.read_text())
        authority = (directory / "ca.pem").read_text()
        settings = Settings(str(said["control"]).rstrip("/"), str(said["token"]), authority)
    except OSError as error:
        raise BadSettings(f"{error.filename}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadSettings(f"{path}: not what the appliance writes: {error!r}") from error
    if not settings.control.startswith("https://") or not settings.token:
        raise BadSettings(f"{path}: no https:// address of the appliance, or no token")
    return settings
