"""Images, ISOs and kernels on their way to the appliance: sent, fetched, listed while they are half there, removed."""

from typing import Any

import click

from appliance.cli.client import Api, segment
from appliance.cli.errors import Refused
from appliance.cli.output import as_json, decimal_size, table
from appliance.cli.pieces import Files, Said, send_files
from appliance.cli.waiting import wait_for_task
from appliance.errors import Conflict


def sent(connected: Api, kind: str, name: str, known: Said, files: Files, *, replace: bool) -> dict[str, Any]:
    """Upload what is to become one of ``images``, ``isos``, ``kernels``, ``modules``; the result of its task."""
    upload = f"/uploads/{kind}/{segment(name)}"
    said = send_files(connected, upload, {**known, "mark": files.mark}, files, "task", replace=replace)
    return listed(connected, connected.get(f"/tasks/{said['task']}"))


def listed(connected: Api, task: dict[str, Any]) -> dict[str, Any]:
    """The result of the task, once it is done."""
    wait_for_task(connected, task)
    result: dict[str, Any] = connected.get(f"/tasks/{task['id']}")["result"]
    return result


def check_free(connected: Api, kind: str, name: str) -> None:
    """Raise Conflict where the name is taken: said before a long upload instead of after it.

    One whose content is missing can be uploaded again.
    """
    noun, word = _words(kind)
    try:
        found = connected.get(f"/{kind}/{segment(name)}")
    except Refused as error:
        if error.code == f"{noun}-unknown":
            return
        raise
    if not found["missing"]:
        raise Conflict("name-taken", f"another {word} is called {name}", "choose another with --name")


def _words(kind: str) -> tuple[str, str]:
    """Of ``isos`` what one is called in codes and answers, and what people call it."""
    noun = kind.removesuffix("s")
    return noun, {"iso": "ISO"}.get(noun, noun)


def show_arriving(connected: Api, kind: str, *more: str, json_out: bool) -> None:
    """Print what is on its way of one of ``images``, ``isos`` or ``kernels``, and of the kinds ``more``."""
    noun, word = _words(kind)
    found = [each for each in connected.get("/uploads")["items"] if each["kind"] in (noun, *more)]
    if json_out:
        as_json({"items": found})
        return
    table(("name", "file", "here", "of", "by", "task"), [_row(each) for each in found], f"No {word} is half uploaded.")


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    sizes = decimal_size(each["received"]), decimal_size(each["size"])
    name = f"{each['name']}, its modules" if each["kind"] == "modules" else each["name"]
    return name, each["url"] or each["file"], *sizes, each["by"], each["task"] or ""


def stop(connected: Api, kind: str, name: str) -> None:
    """Remove what is half there."""
    connected.send("DELETE", f"/uploads/{kind}/{segment(name)}")
    click.echo("what was half uploaded is removed")
