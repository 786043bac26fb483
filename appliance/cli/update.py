"""``qrm update``: updates of the appliance, brought and installed through its API."""

from pathlib import Path
from typing import Any

import click

from appliance.cli.client import Api
from appliance.cli.confirm import confirmed
from appliance.cli.context import api, confirm_option, json_option
from appliance.cli.output import as_json, clean, decimal_size, moment, table
from appliance.cli.update_upload import UPLOAD, send_update
from appliance.cli.waiting import wait_for_task
from appliance.errors import Conflict

LONG = 600.0
"""Seconds that the helper may take to answer."""


replace_option = click.option("--replace", is_flag=True, help="Begin in place of another half upload.")


@click.group()
def update() -> None:
    """Updates of the appliance: status, upload, install, restart, back."""


@update.command()
@json_option
def status(json_out: bool) -> None:
    """Show the slots, what waits to be installed, and what became of updates."""
    found = api().get("/appliance/update")
    if json_out:
        as_json(found)
        return
    click.echo(f"version {found['version']} runs")
    if not found["here"]:
        click.echo("this computer is no flashed appliance: update it as it was installed")
        return
    if found["trouble"]:
        click.echo(f"what is in the slots is not known: {clean(found['trouble'])}", err=True)
    if found.get("on_trial"):
        click.echo("it is on trial until it was found good; no other update can be installed before")
    table(("slot", "version", "state"), [_slot_row(each) for each in found["slots"]], "No slot is known.")
    if found["bundle"]:
        click.echo(f"version {clean(found['bundle']['version'])} waits: qrm update install")
    if half := found["upload"]:
        share = f"{100 * half['received'] // half['size']}% of {decimal_size(half['size'])}"
        click.echo(f"{clean(half['name'])} is half uploaded, {share}: qrm update upload FILE goes on")
    if found["task"]:
        click.echo(f"an update goes on: qrm tasks wait {found['task']}")
    for each in found["updates"]:
        why = each["reason"] or "; ".join(each["tries"][-1]["reasons"] if each["tries"] else [])
        click.echo(f"{moment(each['ended'] or each['begun'])}  {clean(each['text'])}{f': {clean(why)}' if why else ''}")


def _slot_row(slot: dict[str, Any]) -> tuple[str, str, str]:
    words = [("runs", slot["running"]), ("starts next", slot["next"]), ("not to be started", not slot["good"])]
    return slot["letter"], slot["version"], ", ".join(word for word, holds in words if holds)


@update.command()
@click.argument("source", metavar="[FILE|URL]", required=False)
@click.option("--restart", "and_restart", is_flag=True, help="Restart into it afterwards.")
@replace_option
@confirm_option
def install(source: str | None, and_restart: bool, replace: bool, confirm: str | None) -> None:
    """Bring a signed update, from FILE or URL, and write it to the slot that does not run.

    Without FILE or URL the one that was brought before is installed. It starts with the next restart.
    """
    connected = api()
    if connected.get("/appliance/update").get("on_trial"):  # said before a gigabyte is sent
        hint = "wait some minutes: qrm update status"
        raise Conflict("update-on-trial", "the version that runs is on trial, and not found good yet", hint)
    if source is not None:
        _bring(connected, source, replace)
    connected.seconds = LONG
    bundle = connected.get("/appliance/update")["bundle"]
    if bundle is None:
        raise Conflict("bundle-missing", "there is no update to install", "name a file or an address")
    version, word = bundle["version"], None
    if bundle["older"]:
        text = f"Version {version} is older than the one that runs, and may not read its state."
        word = confirmed([text], version, confirm)
    task = connected.make("/appliance/update/install", {"version": version, "confirm": word})
    wait_for_task(connected, task)
    click.echo(f"version {clean(version)} is installed; it starts with: qrm update restart")
    if and_restart:
        _restart(connected)


def _bring(connected: Api, source: str, replace: bool) -> None:
    if source.startswith(("http://", "https://")):
        wait_for_task(connected, connected.make("/appliance/update/download", {"url": source}))
        return
    _say(send_update(connected, Path(source), replace=replace))


def _say(found: dict[str, Any]) -> None:
    click.echo(f"version {clean(found['version'])}, {decimal_size(found['size'])}, its signature is good")


@update.command()
@click.argument("file", type=click.Path(path_type=Path))
@replace_option
def upload(file: Path, replace: bool) -> None:
    """Bring a signed update without installing it, from where an earlier upload of the same FILE ended."""
    _say(send_update(api(), file, replace=replace))
    click.echo("it waits: qrm update install")


@update.command("stop-upload")
def stop_upload() -> None:
    """Remove what is half uploaded."""
    api().send("DELETE", UPLOAD)
    click.echo("what was half uploaded is removed")


@update.command()
def discard() -> None:
    """Remove the update that was brought and not installed."""
    api().send("DELETE", "/appliance/update/bundle")
    click.echo("the update is removed")


@update.command()
def restart() -> None:
    """Restart the appliance, into the slot that is started next."""
    _restart(api())


def _restart(connected: Api) -> None:
    connected.send("POST", "/appliance/update/restart")
    click.echo("the appliance restarts; look again in some minutes: qrm update status")


@update.command()
@confirm_option
def back(confirm: str | None) -> None:
    """Have the version before started next, with the state that it can read; nothing restarts."""
    connected = api()
    slots = connected.get("/appliance/update")["slots"]
    other = next((each["letter"] for each in slots if not each["running"] and each["good"]), None)
    if other is None:
        raise Conflict("slot-empty", "the other slot holds nothing that could be started", "install an update")
    texts = [
        f"The next restart starts slot {other}.",
        "Where that version cannot read the present state, the state of before its update is used; what is newer is"
        " kept aside in a file.",
    ]
    word = confirmed(texts, f"slot {other}", confirm)
    connected.send("POST", "/appliance/update/back", {"slot": other, "confirm": word})
    click.echo(f"slot {other} starts with: qrm update restart")
