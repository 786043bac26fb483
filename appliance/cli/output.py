"""What commands print. Strings of machines are hostile: nothing of them steers a terminal."""

import json
import re
import sys
import time
from collections.abc import Sequence
from typing import Any

import click

_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, and those that reverse the direction of text."""


def clean(value: object) -> str:
    """Text that only shows; each character that would steer a terminal becomes a replacement character."""
    return _STEERING.sub("\ufffd", "" if value is None else str(value))


def as_json(value: object) -> None:
    """JSON for programs; escaping everything that is not ASCII also keeps terminals safe."""
    click.echo(json.dumps(value, indent=2))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """A table for people; ``empty`` is said where there are no rows."""
    if not rows:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*(Text(clean(value), overflow="fold") for value in row))
    # A file or a pipe has no width: nothing is cut off there.
    Console(width=None if sys.stdout.isatty() else 1000, highlight=False).print(made)


def fields(values: dict[str, object]) -> None:
    """One thing in lines of name and value; empty values are left out."""
    shown = {name: clean(value) for name, value in values.items() if value not in (None, "", [])}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        click.echo(f"{name:<{width}}  {value}")


def moment(at: float | None) -> str:
    """A Unix time in the user's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else "never"


def attempt_words(attempt: dict[str, Any] | None) -> list[str]:
    """How far a live attempt is, and what somebody has to do by hand; nothing of one that has ended."""
    if not attempt or attempt["status"] != "live" or not attempt["step"]:
        return []
    words = [f"{attempt['progress']:.0%} {attempt['label']}"]
    if attempt["advice"]:
        words.append(f"{attempt['advice']}; {gives_up(attempt)}")
    return words


def gives_up(attempt: dict[str, Any] | None) -> str:
    """When a live attempt, or the task that follows it, gives up, in the user's time zone."""
    return f"it gives up at {moment(attempt['deadline'])}" if attempt and attempt["deadline"] else ""


def decimal_size(count: int | None) -> str:
    """Bytes, in the decimal units of disks' labels."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count and count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes" if count else ""


def event_line(event: dict[str, Any]) -> str:
    """An event in one line."""
    reason = f" ({event['reason']})" if event.get("reason") else ""
    return clean(f"{moment(event['at'])}  {event['kind']:<18}  {event['text']}{reason}")
