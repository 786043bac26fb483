"""``qrm volumes``"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from appliance.cli.client import Api, segment
from appliance.cli.completion import names, values
from appliance.cli.confirm import agree_options, confirmed
from appliance.cli.context import Listing, api, json_option, wait_option
from appliance.cli.errors import Refused
from appliance.cli.listing import listed, listing_options
from appliance.cli.output import as_json, clean, fields, moment, table
from appliance.cli.pools import NONE_YET, pool_argument, with_hint
from appliance.cli.storage_words import VolumeSize, room
from appliance.cli.waiting import wait_for_task
from appliance.errors import Conflict, NotFound

F = TypeVar("F", bound=Callable[..., Any])
USES = ("user", "image", "deployment", "vm")
PAGE = 10_000
"""The most that the appliance gives at a time: each page asks LVM anew."""
volume_argument = click.argument("volume", shell_complete=names("/volumes"))
size_argument = click.argument("size", type=VolumeSize())
golden_option = click.option("--golden", is_flag=True, help="Others are made from it: it is not deleted by mistake.")
read_only_option = click.option("--read-only", is_flag=True, help="Nobody writes it.")


@click.group(cls=Listing)
def volumes() -> None:
    """Volumes; without a command, their list.

    A VOLUME is named by its name, by POOL/NAME where several pools have one of that name, or by its id.
    """


@volumes.command("list")
@click.option("--pool", shell_complete=values("/pools", "name"), help="Only those of this pool.")
@click.option(
    "--use", type=click.Choice(USES), multiple=True, help="Only what is for this; may be given several times."
)
@click.option("--golden/--not-golden", default=None, help="Only golden ones, or only others.")
@click.option("--read-only/--writable", default=None, help="Only what nobody writes, such as snapshots, or others.")
@click.option("--in-use/--unused", default=None, help="Only those that somebody has open, or others.")
@click.option("--trouble/--well", default=None, help="Only those that cannot be used, or others.")
@click.option("--origin", metavar="VOLUME", help="Only those that were made from this one.")
@listing_options("name", "pool", "size", "used", "created", search="name, or the beginning of the id")
def list_volumes(json_out: bool, limit: int, origin: str | None, **query: Any) -> None:
    """List volumes of all pools."""
    made_from = _find(api(), origin)["id"] if origin else None
    with _hinted(api()):
        found = listed("/volumes", json_out, limit, page=PAGE, origin=made_from, **query)
    if found is not None:
        heads = ("name", "pool", "size", "used", "made from", "is", "id")
        shown = {each["id"]: each["name"] for each in found}
        empty = "No volume matches." if made_from or any(each not in (None, (), "") for each in query.values()) else ""
        table(heads, [_row(each, shown) for each in found], empty or _none_yet())


def _none_yet() -> str:
    if not api().get("/pools")["items"]:
        return NONE_YET
    return "No volume yet. Make one with: qrm volumes create POOL NAME SIZE"


def _row(volume: dict[str, Any], shown: dict[str, str]) -> tuple[object, ...]:
    origin = shown.get(volume["origin"], volume["origin"] or "")
    sizes = room(volume["size"]), room(volume["used"])
    return volume["name"], volume["pool"]["name"], *sizes, origin, _state(volume), volume["id"]


def _state(volume: dict[str, Any]) -> str:
    words = [
        "golden" if volume["golden"] else "",
        "read-only" if volume["read_only"] and not volume["golden"] else "",
        "in use" if volume["in_use"] else "",
        f"{volume['use']} {volume['of']}".strip() if volume["use"] != "user" else "",
        f"under way: {volume['work']['deed']}" if volume["work"] else "",
        volume["trouble"],
    ]
    return ", ".join(filter(None, words))


@volumes.command()
@volume_argument
@json_option
def show(volume: str, json_out: bool) -> None:
    """Show a volume."""
    found = _find(api(), volume)
    if json_out:
        as_json(found)
        return
    fields(
        {"name": found["name"], "pool": found["pool"]["name"], "id": found["id"], "state": _state(found)}
        | {"size": room(found["size"]), "used": room(found["used"]), "made from": found["origin"]}
        | {"format": found["format"], "path": found["path"]}
        | {"created": moment(found["created"]) if found["created"] else ""}
    )


# -- made


@volumes.command()
@pool_argument
@click.argument("name")
@click.argument("size", type=VolumeSize(), default=0)
@click.option(
    "--image",
    default="",
    shell_complete=values("/images", "name"),
    help="Make the golden volume of this image, with its files in it; SIZE may be left out then.",
)
@golden_option
@read_only_option
@wait_option
def create(pool: str, name: str, size: int, image: str, golden: bool, read_only: bool, and_wait: bool) -> None:
    """Make a volume NAME of SIZE, such as 10G, in a POOL: empty, or with the files of an image."""
    if not size and not image:
        raise click.UsageError("Say SIZE, such as 10G, or by --image whose files it is to hold.")
    connected = api()
    body = {"name": name, "size": size, "golden": golden, "read_only": read_only, "image": image}
    with _hinted(connected):
        done = connected.make(f"/pools/{segment(pool)}/volumes", body)
    _done(connected, done, f"{name} is made", and_wait)


@volumes.command()
@volume_argument
@click.argument("name")
@wait_option
def snapshot(volume: str, name: str, and_wait: bool) -> None:
    """Keep what a volume holds now as NAME, read-only; the volume can be rolled back to it."""
    connected = api()
    done = connected.make(f"{_path(_find(connected, volume))}/snapshot", {"name": name})
    _done(connected, done, f"{name} keeps what {volume} holds now", and_wait)


@volumes.command()
@volume_argument
@click.argument("name")
@click.option("--size", type=VolumeSize(), default=0, help="Larger than what it is made from, such as 20G.")
@golden_option
@read_only_option
@wait_option
def clone(volume: str, name: str, size: int, golden: bool, read_only: bool, and_wait: bool) -> None:
    """Make a volume NAME that holds what this one holds now; at once in thin pools, whatever the size."""
    connected = api()
    body = {"name": name, "size": size, "golden": golden, "read_only": read_only}
    done = connected.make(f"{_path(_find(connected, volume))}/clone", body)
    _done(connected, done, f"{name} is made", and_wait)


# -- changed


@volumes.command()
@volume_argument
@size_argument
@wait_option
def grow(volume: str, size: int, and_wait: bool) -> None:
    """Make a volume as large as SIZE, such as 20G, also while it is in use; it never becomes smaller."""
    connected = api()
    found = _find(connected, volume)
    _done(connected, connected.make(f"{_path(found)}/grow", {"size": size}), f"{found['name']} is grown", and_wait)


@volumes.command("roll-back")
@volume_argument
@click.argument("snapshot", shell_complete=names("/volumes"))
@agree_options
@wait_option
def roll_back(volume: str, snapshot: str, confirm: str | None, yes: bool, and_wait: bool) -> None:
    """Give a volume the content of its SNAPSHOT again; what was written since is lost."""
    connected = api()
    found = _find(connected, volume)
    path, snapshot = _path(found), snapshot.rpartition("/")[2]  # it is in the same pool, however it was named
    foreseen = connected.get(f"{path}/consequences", action="roll-back", snapshot=snapshot)
    word = None
    if not foreseen["refused"]:  # the server says why, with its code
        word = confirmed(foreseen["texts"], foreseen["confirm"], confirm, yes=yes)
    done = connected.make(f"{path}/roll-back", {"snapshot": snapshot, "confirm": word})
    _done(connected, done, f"{found['name']} holds again what {snapshot} has kept", and_wait)


@volumes.command()
@volume_argument
@click.argument("name")
def rename(volume: str, name: str) -> None:
    """Call a volume NAME; its id and its path stay."""
    connected = api()
    found = _find(connected, volume)
    after = connected.send("PATCH", _path(found), {"name": name})
    click.echo(clean(f"{found['name']} is called {after['name']} now"))


@volumes.command()
@volume_argument
@click.option("--off", is_flag=True, help="It is golden no longer.")
def golden(volume: str, off: bool) -> None:
    """Say that others are made from a volume: it is not deleted before it is golden no longer."""
    connected = api()
    after = connected.send("PATCH", _path(_find(connected, volume)), {"golden": not off})
    click.echo(clean(f"{after['name']} is golden{' no longer' if off else ''}"))


@volumes.command()
@volume_argument
@agree_options
def delete(volume: str, confirm: str | None, yes: bool) -> None:
    """Delete a volume; what was made from it stays whole."""
    connected = api()
    path, name = _lost_or_there(connected, volume)
    with _hinted(connected):
        foreseen = connected.get(f"{path}/consequences", action="delete")
    word = None
    if not foreseen["refused"]:  # the server says why, with its code
        word = confirmed(foreseen["texts"], foreseen["confirm"], confirm, yes=yes)
    connected.send("DELETE", f"{path}?confirm={segment(word or '')}")
    click.echo(clean(f"{name} is deleted"))


# -- one step each


def _path(of: dict[str, Any]) -> str:
    return f"/pools/{of['pool']['id']}/volumes/{of['id']}"


def _find(connected: Api, key: str) -> dict[str, Any]:
    """The volume of this name, POOL/NAME or id; raises NotFound, and Conflict where several are called so."""
    pool, slash, name = key.partition("/")
    if slash:
        with _hinted(connected):
            found: dict[str, Any] = connected.get(f"/pools/{segment(pool)}/volumes/{segment(name)}")
            return found
    matching = connected.get("/volumes", q=key, limit=PAGE)["items"] if key.strip() else []
    same = [each for each in matching if key in (each["name"], each["id"])]
    if len(same) > 1:
        there = ", ".join(f"{each['pool']['name']}/{each['name']}" for each in same)
        raise Conflict("volume-ambiguous", f"several volumes are called {key}: {there}", "name it as POOL/NAME")
    if not same:
        hint = "list them with: qrm volumes" if connected.get("/pools")["items"] else NONE_YET
        raise NotFound("volume-unknown", f"there is no volume {key!r}", hint)
    return dict(same[0])


def _lost_or_there(connected: Api, key: str) -> tuple[str, str]:
    """Address and name of one that may not be in its pool any more: that one is named as POOL/NAME."""
    pool, slash, name = key.partition("/")
    if slash:
        return f"/pools/{segment(pool)}/volumes/{segment(name)}", name
    found = _find(connected, key)
    return _path(found), str(found["name"])


@contextmanager
def _hinted(connected: Api) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise with_hint(connected, error) from error


def _done(connected: Api, done: dict[str, Any], said: str, and_wait: bool) -> None:
    """Say that it is done, or which task does it."""
    task = done["task"]
    if task and not and_wait:
        click.echo(f"{clean(task['title'])} (task {task['id']})")
        return
    if task:
        wait_for_task(connected, task)
    click.echo(clean(said))
