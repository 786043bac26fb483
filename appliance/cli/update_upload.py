"""Sends an update of the appliance piece by piece."""

import hashlib
from pathlib import Path

import click

from appliance.cli.client import Api
from appliance.cli.pieces import Files, Said, reading, send_files
from appliance.errors import Invalid

UPLOAD = "/appliance/update/upload"
READ = 1 << 20


def send_update(connected: Api, path: Path, *, replace: bool) -> Said:
    """Upload a file, from where an earlier run came to; what the appliance says of the update in it.

    Raises Invalid for a file that cannot be read, and as ``Api.request`` does where trying again is of no use.
    """
    if not path.is_file():
        raise Invalid("file-unreadable", f"{path} is no file", "name a .raucb file")
    with reading([path]) as files:
        click.echo("reading the file", err=True)  # once before anything is sent: what tells it from others
        known = {"name": path.name[:200], "sha256": _digest(files)}
        return dict(send_files(connected, UPLOAD, known, files, "bundle", replace=replace)["bundle"])


def _digest(files: Files) -> str:
    digest, at = hashlib.sha256(), 0
    while chunk := files.read(at, READ):
        digest.update(chunk)
        at += len(chunk)
    return digest.hexdigest()
