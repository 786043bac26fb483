"""``qrm pools``"""

from typing import Any

import click

from appliance.cli.client import Api, segment
from appliance.cli.completion import values
from appliance.cli.confirm import agree_options, confirmed
from appliance.cli.context import Listing, api, json_option, wait_option
from appliance.cli.output import as_json, clean, fields, table
from appliance.cli.storage_words import level_words, room, share
from appliance.cli.waiting import wait_for_task
from appliance.errors import ApplianceError, Conflict, NotFound

NONE_YET = "No pool yet. Make one with: qrm pools make NAME --disk SERIAL; or of a directory: --directory PATH"
SEE_DISKS = "list them with: qrm pools disks"
Named = tuple[dict[str, Any], dict[str, Any]]
"""A disk, and the disk itself or a partition of it."""
pool_argument = click.argument("pool", shell_complete=values("/pools", "name", says="kind"))


def parts_options(command: Any) -> Any:
    """Which disks and partitions; ``qrm pools disks`` lists them."""
    disk = values("/storage/disks", "identifier", says="model")
    partition = click.option(
        "--partition", "partitions", multiple=True, metavar="PARTUUID", help="A partition; may be given several times."
    )
    whole = click.option(
        "--disk", "disks", multiple=True, metavar="SERIAL", shell_complete=disk,
        help="A whole disk, by serial number or WWN; may be given several times.",
    )  # fmt: skip
    return whole(partition(command))


@click.group(cls=Listing)
def pools() -> None:
    """Pools of storage, of which volumes are made; without a command, their list."""


@pools.command("list")
@json_option
def list_pools(json_out: bool) -> None:
    """List pools: how full they are, and what is wrong with them."""
    found = api().get("/pools")
    if json_out:
        as_json(found)
        return
    heads = ("name", "kind", "data", "notes", "room", "promised", "largest", "volumes", "state")
    table(heads, [_row(each) for each in found["items"]], NONE_YET)


def _row(pool: dict[str, Any]) -> tuple[object, ...]:
    if not pool["here"]:
        return pool["name"], pool["kind"], "", "", "", "", "", "", pool["trouble"]
    filled = share(pool["data"]), share(pool["metadata"])
    sizes = room(pool["data"]["total"]), room(pool["promised"]), room(pool["largest"])
    return pool["name"], pool["kind"], *filled, *sizes, pool["volumes"], level_words(pool)


@pools.command()
@pool_argument
@json_option
def show(pool: str, json_out: bool) -> None:
    """Show a pool, by name or number, with what is in it that is not ours."""
    found = api().get(f"/pools/{segment(pool)}")
    if json_out:
        as_json(found)
        return
    here = found["here"]
    fields(
        {"name": found["name"], "kind": found["kind"], "place": found["place"]}
        | {"state": level_words(found) if here else "", "trouble": found["trouble"]}
        | ({"data": _filled(found["data"]), "notes": _filled(found["metadata"])} if here else {})
        | ({"volumes": found["volumes"], "promised": room(found["promised"])} if here else {})
        | ({"largest": room(found["largest"]), "grows by": room(found["growable"])} if here else {})
        | {"made of": ", ".join(found["members"])}
        | {"under way": ", ".join(_work(each) for each in found["work"])}
    )
    for each in found["foreign"]:
        click.echo(clean(f"not ours, never touched: {each['name']}, {room(each['size'])}: {each['what']}"))
    for each in found["lost"]:
        hint = f"qrm volumes delete {found['name']}/{each['name']}"
        click.echo(clean(f"not in the pool any more: {each['name']} ({each['id']}); forget it with: {hint}"))


def _filled(of: dict[str, int] | None) -> str:
    return f"{room(of['used'])} of {room(of['total'])} ({share(of)})" if of else ""


def _work(of: dict[str, Any]) -> str:
    how = f"task {of['task']}" if of["task"] else "now"
    return f"{of['deed']}, {how}, for {of['by']}"


# -- what they are made of


@pools.command()
@json_option
def disks(json_out: bool) -> None:
    """List the disks and partitions that a pool may be made of, what is on them, and why others cannot be chosen."""
    found = api().get("/storage/disks")
    if json_out:
        as_json(found)
        return
    rows: list[tuple[object, ...]] = []
    for each in found["items"]:
        called = f"{each['name']} {each['model']}".strip()
        rows.append((each["identifier"], called, room(each["size"]), "; ".join(each["holds"]), each["refused"]))
        rows += [
            (f"  {part['uuid']}", f"  {part['name']}", room(part["size"]), "; ".join(part["holds"]), part["refused"])
            for part in each["partitions"]
        ]
    empty = "No disk: this is no flashed appliance. A directory can be a pool: qrm pools make NAME --directory PATH"
    table(("disk or partition", "is", "size", "on it", "why not"), rows, empty)


@pools.command()
@json_option
def groups(json_out: bool) -> None:
    """List volume groups of LVM that are no pools here."""
    found = api().get("/storage/groups")
    if json_out:
        as_json(found)
        return
    rows = [
        (each["name"], each["uuid"], room(each["size"]), room(each["free"]), ", ".join(each["volumes"]), _group(each))
        for each in found["items"]
    ]
    table(("group", "uuid", "size", "free", "in it", "state"), rows, "No volume group that is no pool already.")


def _group(of: dict[str, Any]) -> str:
    was = "was a pool" if of["was_pool"] else ""
    return was if of["whole"] else ", ".join(filter(None, (was, "not complete")))


# -- changes


@pools.command()
@click.argument("name")
@parts_options
@click.option("--directory", metavar="PATH", help="Of a directory that is there, instead of disks.")
@click.option("--thick", is_flag=True, help="Volumes take all of their room when they are made; clones are copies.")
@agree_options
@wait_option
def make(
    name: str, disks: tuple[str, ...], partitions: tuple[str, ...], directory: str | None, thick: bool,
    confirm: str | None, yes: bool, and_wait: bool,
) -> None:  # fmt: skip
    """Make a pool NAME of whole disks and partitions, or of a directory.

    What is on the disks is shown, and has to be agreed to by their names: all of it is lost. Clones of volumes are
    instant, but for --thick.
    """
    connected, named = api(), bool(disks or partitions)
    if named == (directory is not None):
        raise click.UsageError("name disks with --disk or --partition, or a directory with --directory")
    if directory is not None:
        if thick:
            raise click.UsageError("--thick is for pools of disks")
        body: dict[str, Any] = {"name": name, "kind": "directory", "place": directory}
    else:
        chosen = _chosen(connected, disks, partitions)
        word = _agreed(connected, chosen, confirm, yes)
        body = {"name": name, "kind": "lvm-thick" if thick else "lvm-thin", "disks": chosen, "confirm": word}
    _begun(connected, connected.make("/pools", body), and_wait)


@pools.command()
@pool_argument
@parts_options
@agree_options
@wait_option
def extend(
    pool: str, disks: tuple[str, ...], partitions: tuple[str, ...], confirm: str | None, yes: bool, and_wait: bool
) -> None:
    """Give a pool one more disk or partition; all that is on it is lost."""
    if len(disks) + len(partitions) != 1:
        raise click.UsageError("name one disk with --disk, or one partition with --partition")
    connected = api()
    chosen = _chosen(connected, disks, partitions)
    word = _agreed(connected, chosen, confirm, yes)
    body = {"disk": chosen[0], "confirm": word}
    _begun(connected, connected.make(f"/pools/{segment(pool)}/extend", body), and_wait)


@pools.command()
@click.argument("group", shell_complete=values("/storage/groups", "name", says="uuid"))
@click.argument("name")
@click.option("--thick", is_flag=True, help="Make no thin pool in it.")
@agree_options
@wait_option
def adopt(group: str, name: str, thick: bool, confirm: str | None, yes: bool, and_wait: bool) -> None:
    """Make a pool NAME of a volume GROUP of LVM that is there, by its name or UUID.

    What is in it stays as it is, and is never touched.
    """
    connected = api()
    found = [each for each in connected.get("/storage/groups")["items"] if group in (each["uuid"], each["name"])]
    if len(found) != 1:
        what = "more than one volume group: name it by its UUID" if found else "no volume group that is no pool already"
        raise NotFound("group-unknown", f"{group!r} is {what}", "list them with: qrm pools groups")
    path = f"/storage/groups/{segment(found[0]['uuid'])}"
    foreseen = connected.get(f"{path}/consequences")
    word = confirmed(foreseen["texts"], foreseen["confirm"], confirm, yes=yes)
    _begun(connected, connected.make(f"{path}/adopt", {"name": name, "thin": not thick, "confirm": word}), and_wait)


@pools.command()
@pool_argument
@agree_options
@wait_option
def retire(pool: str, confirm: str | None, yes: bool, and_wait: bool) -> None:
    """Give the disks of an empty pool back; forget one that is not there any more."""
    connected, path = api(), f"/pools/{segment(pool)}"
    foreseen = connected.get(f"{path}/consequences", action="retire")
    word = None
    if not foreseen["refused"]:  # the server says why, with its code
        word = confirmed(foreseen["texts"], foreseen["confirm"], confirm, yes=yes)
    _begun(connected, connected.make(f"{path}/retire", {"confirm": word}), and_wait)


@pools.command()
@pool_argument
@json_option
def examine(pool: str, json_out: bool) -> int:
    """Check what a thin pool notes of which block is whose; its volumes cannot be used for so long.

    The exit code is 1 where it is damaged.
    """
    done = _examined(api(), pool)
    if json_out:
        as_json(done["result"])
    else:
        _say(done["result"])
    return 0 if done["result"]["sound"] else 1


def _examined(connected: Api, pool: str) -> dict[str, Any]:
    """The task that has checked it."""
    return wait_for_task(connected, connected.make(f"/pools/{segment(pool)}/examine", {}))


def _say(found: dict[str, Any]) -> None:
    click.echo("nothing is wrong" if found["sound"] else f"it is damaged: {clean(found['said'])}")


@pools.command()
@pool_argument
@agree_options
@wait_option
def repair(pool: str, confirm: str | None, yes: bool, and_wait: bool) -> None:
    """Check a thin pool, say what a repair would do and what may be lost, and do it once that is agreed to."""
    connected, path = api(), f"/pools/{segment(pool)}"
    checked = _examined(connected, pool)
    _say(checked["result"])
    if checked["result"]["sound"]:
        return
    foreseen = connected.get(f"{path}/consequences", action="repair", check=checked["id"])
    word = confirmed(foreseen["texts"], foreseen["confirm"], confirm, yes=yes)
    _begun(connected, connected.make(f"{path}/repair", {"confirm": word}), and_wait)


# -- one step each


def _chosen(connected: Api, disks: tuple[str, ...], partitions: tuple[str, ...]) -> list[dict[str, Any]]:
    """What was named, with what is on it now, as the API takes it; raises as ``_only``, and Conflict."""
    offered = connected.get("/storage/disks")["items"]
    whole = [_only(name, [(each, each) for each in offered if _is_called(each, name)]) for name in disks]
    within = [(each, part) for each in offered for part in each["partitions"]]
    parts = [_only(name, [pair for pair in within if pair[1]["uuid"] == name]) for name in partitions]
    for disk, found in (*whole, *parts):
        if found["refused"]:
            raise Conflict("disk-refused", f"{found['name']} cannot be chosen: {found['refused']}", SEE_DISKS)
        click.echo(clean(f"{disk['identifier']}: {disk['model']}, {found['name']}, {room(found['size'])}"), err=True)
    return [
        {"disk": disk["identifier"], "partition": found.get("uuid", ""), "holds": found["holds"]}
        for disk, found in (*whole, *parts)
    ]


def _is_called(disk: dict[str, Any], name: str) -> bool:
    """The kernel's names change with every start: only what names it for good counts."""
    return bool(name) and disk["identifier"] == name


def _only(name: str, found: list[Named]) -> Named:
    """Raises NotFound, and Conflict where several are called so."""
    if not found:
        raise NotFound("disk-unknown", f"there is no disk or partition {name!r}", SEE_DISKS)
    if len(found) > 1:
        raise Conflict(
            "disk-ambiguous", f"{len(found)} disks or partitions are called {name}", "name a partition of it"
        )
    return found[0]


def _agreed(connected: Api, chosen: list[dict[str, Any]], confirm: str | None, yes: bool) -> str | None:
    foreseen = connected.send("POST", "/storage/disks/consequences", {"disks": chosen})
    return confirmed(foreseen["texts"], foreseen["confirm"], confirm, yes=yes)


def _begun(connected: Api, task: dict[str, Any], and_wait: bool) -> None:
    click.echo(f"{clean(task['title'])} (task {task['id']})")
    if and_wait:
        wait_for_task(connected, task)
        click.echo("done")


def with_hint(connected: Api, error: ApplianceError) -> ApplianceError:
    """An error that says how to make a pool, where a pool is missed and there is none."""
    if error.code == "pool-unknown" and not connected.get("/pools")["items"]:
        return type(error)(error.code, error.message, NONE_YET, error.field)
    return error
