"""Waiting for a task, with a bar that shows how far it is, or plain lines where there is no terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any

import click

from appliance.cli.client import Api
from appliance.cli.output import clean, gives_up
from appliance.errors import ApplianceError

PAUSES = (0.1, 0.2, 0.4, 1.0)
"""Seconds between the first looks, and then between all others: what is done in no time is not waited for."""
OPEN = ("waiting", "running")

Show = Callable[[dict[str, Any]], None]
"""Shows a task as it is now."""


def wait_for_task(api: Api, task: dict[str, Any], timeout: float | None = None) -> dict[str, Any]:
    """Come back with the task once it is done.

    Raises ApplianceError with its reason where it failed or was cancelled, ``wait-timeout`` after so many seconds, and
    ``wait-stopped`` after Ctrl-C: the task goes on in both cases.
    """
    try:
        with _shown() as show:
            task = _followed(api, task, show, timeout)
    except KeyboardInterrupt:
        hint = f"follow it with: qrm tasks wait {task['id']}; end it with: qrm tasks cancel {task['id']}"
        raise ApplianceError("wait-stopped", f"stopped waiting; {task['title']} goes on", hint) from None
    if task["status"] != "done":
        message = f"{task['title']}: {task['status']}{': ' if task['reason'] else ''}{task['reason']}"
        raise ApplianceError(task["code"] or f"task-{task['status']}", message, f"qrm tasks show {task['id']}")
    return task


def _followed(api: Api, task: dict[str, Any], show: Show, timeout: float | None) -> dict[str, Any]:
    end = time.monotonic() + timeout if timeout is not None else None
    pauses = chain(PAUSES, repeat(PAUSES[-1]))
    while True:
        show(task)
        if task["status"] not in OPEN:
            return task
        if end is not None and time.monotonic() >= end:
            message = f"{words_of(task)} after {timeout:g} seconds"
            raise ApplianceError("wait-timeout", message, f"it goes on: qrm tasks wait {task['id']}")
        time.sleep(next(pauses))
        task = api.get(f"/tasks/{task['id']}")


@contextmanager
def _shown() -> Iterator[Show]:
    """On standard error: what a command says on its standard output is for programs."""
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False)) as bar:
        line = bar.add_task("", total=1.0)
        yield lambda task: bar.update(line, completed=task["progress"], description=escape(words_of(task)))


def _lines() -> Show:
    """A line whenever something else is to be said; how far a step is, is not."""
    said = ""

    def show(task: dict[str, Any]) -> None:
        nonlocal said
        words = words_of({**task, "message": task["message"].partition(": ")[0]})
        if words != said:
            said = words
            click.echo(f"{task['progress']:4.0%}  {words}", err=True)

    return show


def words_of(task: dict[str, Any]) -> str:
    """What it is, what it is at, and what somebody has to do by hand."""
    by_hand = f"{task['advice']}; {gives_up(task)}" if task["advice"] else ""
    parts = (task["title"], task["message"] or task["status"], by_hand)
    return ": ".join(clean(part) for part in parts if part)
