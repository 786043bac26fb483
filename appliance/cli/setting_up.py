"""The steps of a flashed appliance's set-up, answered from a seed file by ``qrm setup``."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from appliance.cli import trust
from appliance.cli.client import Api
from appliance.cli.confirm import confirmed
from appliance.cli.credentials import Server
from appliance.cli.errors import Refused, Unreachable
from appliance.cli.output import clean
from appliance.errors import ApplianceError, Invalid
from appliance.setup import seed, seed_partition
from appliance.setup.summary import lines
from appliance.setup.value import SetUp

PAUSE = 1.0
"""Seconds between two looks."""
PATIENCE = 180.0
"""Seconds for the network and for the services that start anew, together."""


def seed_of(file: Path) -> SetUp:
    """What a seed file says; raises ApplianceError before anything is asked."""
    text = seed_partition.read(file)
    if text is None:
        raise Invalid("seed-missing", f"{file}: there is no such file", "begin one with: qrm seed example")
    return seed.parse(text, str(file))


def set_up_by(server: Server, set_up: SetUp, despite_dhcp: bool, confirm: str | None) -> Server:
    """Answer all steps, carry them out, and come over the new network; where the console is then.

    ``confirm`` has the identifiers of disks whose content goes. Raises ApplianceError.
    """
    api = _api(server)
    for what, how in lines(set_up)[1:]:
        click.echo(f"{what:<15}{clean(how)}", err=True)
    api.send("PUT", "/setup/site", _plain(set_up.site))
    served = set_up.provisioning
    networks = {"management": _plain(set_up.management), "provisioning": _plain(served) if served else None}
    api.send("PUT", "/setup/networks", {**networks, "despite_dhcp": despite_dhcp})
    _choose_disks(api, set_up, confirm)
    begun = api.send("POST", "/setup/begin", {})
    click.echo("the new network is put on, for a minute on trial", err=True)
    target = begun["progress"]["target"]
    after = _arrived(server, target, begun["token"]) if target else _stayed(server)
    click.echo("the network is kept; the rest is written, and the services start anew", err=True)
    _finished(_api(after))
    if set_up.account.ssh_keys:
        _api(after).send("PUT", "/appliance/ssh", {"keys": list(set_up.account.ssh_keys)})
    return after


def _api(server: Server) -> Api:
    return Api(server.url, trust.context(server.ca, names_matter=not server.pinned), server.token)


def _plain(value: Any) -> dict[str, Any]:
    return {name: list(of) if isinstance(of, tuple) else of for name, of in dataclasses.asdict(value).items()}


def _choose_disks(api: Api, set_up: SetUp, given: str | None) -> None:
    """What is on the disks wants their identifiers typed, here as well."""
    body = _plain(set_up.storage)
    try:
        api.send("PUT", "/setup/storage", {**body, "confirm": given or ""})
    except Refused as error:
        if error.code != "confirmation-needed":
            raise
        word = confirmed([error.message], error.hint.removeprefix("type exactly: "), given)
        api.send("PUT", "/setup/storage", {**body, "confirm": word})


def _pauses(what: str, hint: str) -> Iterator[None]:
    """Between looks, until it has taken too long: raises ApplianceError ``setup-late``."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        yield
        time.sleep(PAUSE)
    raise ApplianceError("setup-late", f"{what} in {PATIENCE:.0f} seconds", hint)


def _stayed(server: Server) -> Server:
    """The address stays: confirm once the network is on."""
    api = _api(server)
    for _ in _pauses("the new network was not put on", "look at the console, or at the appliance's screen"):
        progress = _asked(lambda: api.get("/setup/progress"))
        if progress is None:
            continue
        _check(progress)
        if progress["phase"] != "trying":
            break
        if progress["until"] is not None and _confirmed(api):
            break
    return server


def _confirmed(api: Api) -> bool:
    """Whether the network is kept; not yet where the one that is tried has no address, or is not what we came over."""
    try:
        api.send("POST", "/setup/confirm", {})
    except ApplianceError as error:
        if error.code != "network-elsewhere":
            raise
        return False
    return True


def _arrived(server: Server, target: str, token: str) -> Server:
    """Come over the new network, which confirms it, and be logged in there."""
    url = f"https://{target}"
    api = Api(url, trust.context(server.ca, names_matter=not server.pinned))
    hint = f"see that this computer reaches {target}; the network has gone back by now, so begin again"
    for _ in _pauses(f"nothing answered at {url}", hint):
        session = _asked(lambda: api.send("POST", "/setup/arrive", {"token": token}))
        if session is not None:
            return Server(url, session["user"]["name"], session["token"], server.ca, server.pinned)
    return server


def _finished(api: Api) -> None:
    """The rest is written, and the services have started anew: they know of no set-up any more."""
    for _ in _pauses("the services did not start anew", "look at the appliance's screen"):
        try:
            progress = _asked(lambda: api.get("/setup/progress"))
        except Refused as error:
            if error.code == "setup-without-steps":
                return
            raise
        if progress is not None:
            _check(progress)


def _check(progress: dict[str, Any]) -> None:
    if progress["failed"]:
        hint = "all answers are kept: change what is wrong, and begin again"
        raise ApplianceError("setup-failed", progress["message"], hint)


def _asked(call: Callable[[], Any]) -> Any:
    """What is answered; None while nobody does, or while the new network is not on yet."""
    try:
        return call()
    except Unreachable:
        return None
    except Refused as error:
        if error.code == "setup-not-trying":
            return None
        raise
