"""``qrm certificate``: what the console shows to browsers."""

from pathlib import Path
from typing import Any

import click

from appliance.cli.confirm import confirmed
from appliance.cli.context import api, confirm_option, json_option
from appliance.cli.errors import Refused
from appliance.cli.output import as_json, fields, moment
from appliance.errors import Invalid

_FILE = click.Path(path_type=Path)


@click.group()
def certificate() -> None:
    """The console's certificate."""


@certificate.command()
@json_option
def show(json_out: bool) -> None:
    """Show the certificate in use."""
    found = api().get("/certificate")
    if json_out:
        as_json(found)
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    fields(
        {
            "certificate": "the appliance's own" if found["own"] else "uploaded",
            "names": ", ".join(found["names"]),
            "issuer": found["issuer"],
            "key": found["key"],
            "ends": moment(found["ends"]) if found["ends"] else "",
            "fingerprint": found["fingerprint"],
            "authority": found["authority"],
            "notice": found["notice"],
        }
    )


@certificate.command("set")
@click.argument("chain", type=_FILE)
@click.option("--key", type=_FILE, help="Its key, not encrypted; left out where CHAIN holds it too.")
@click.option("--yes", is_flag=True, help="Use it in spite of what there is to say against it.")
def set_certificate(chain: Path, key: Path | None, yes: bool) -> None:
    """Use the certificate in CHAIN (PEM) for the console.

    CHAIN begins with the server's certificate, then the one that signed it, and so on. It is checked before it is
    used; the appliance's own comes back by itself when it ends.
    """
    body: dict[str, Any] = {
        "certificate_pem": _read(chain),
        "key_pem": _read(key) if key else "",
        "confirm": yes,
    }
    try:
        found = api().send("PUT", "/certificate", body)
    except Refused as error:
        if error.code == "certificate-doubtful":
            raise Refused(error.code, error.message, "if you want it all the same: --yes", error.field) from None
        raise
    _print(found)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise Invalid("file-unreadable", f"{path}: {error.strerror}", "name a PEM file") from error


@certificate.command()
@confirm_option
def reset(confirm: str | None) -> None:
    """Go back to the appliance's own certificate."""
    confirmed(["The certificate that was uploaded is removed, with its key."], "reset", confirm)
    api().send("DELETE", "/certificate")
    click.echo("the console uses the appliance's own certificate")
