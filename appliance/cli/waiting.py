"""Waiting for a task, with a bar that shows how far it is."""

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from appliance.cli.client import Api
from appliance.cli.output import clean
from appliance.errors import ApplianceError

ASK_EVERY = 1.0
"""Seconds between two looks."""
OPEN = ("waiting", "running")


def wait_for_task(api: Api, task: dict[str, Any], pause: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Come back with the task once it is done; raises ApplianceError with its reason where it failed."""
    with _bar() as shown:
        line = shown.add_task(_words(task), total=1.0)
        while True:
            shown.update(line, completed=task["progress"], description=_words(task))
            if task["status"] not in OPEN:
                break
            pause(ASK_EVERY)
            task = api.get(f"/tasks/{task['id']}")
    if task["status"] != "done":
        message = f"{task['title']}: {task['status']}{': ' if task['reason'] else ''}{task['reason']}"
        raise ApplianceError(task["code"] or f"task-{task['status']}", message, f"qrm tasks show {task['id']}")
    return task


def _bar() -> Progress:
    """On standard error: what a command says on its standard output is for programs."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=not console.is_terminal)


def _words(task: dict[str, Any]) -> str:
    """What it is, what it is at, and what somebody has to do by hand."""
    parts = [task["title"], task["message"] or task["status"]]
    parts += [task["advice"]] if task["advice"] else []
    return escape(": ".join(clean(part) for part in parts if part))
