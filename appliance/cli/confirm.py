"""Asking before something is lost, and saying what would be."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from appliance.cli.context import confirm_option
from appliance.cli.output import as_json, clean
from appliance.errors import ApplianceError

F = TypeVar("F", bound=Callable[..., Any])


def agree_options(command: F) -> F:
    """``--confirm`` and ``--yes``."""
    return confirm_option(click.option("--yes", is_flag=True, help="Agree to what is lost, whatever it is.")(command))


def confirmed(texts: Sequence[str], word: str | None, given: str | None, *, yes: bool = False) -> str | None:
    """What to send as confirmation of ``word``: asked for, or ``given`` with ``--confirm``; ``yes`` agrees to all.

    Raises ApplianceError where it has to be typed and cannot be, or is typed wrongly.
    """
    for text in texts:
        click.echo(clean(text), err=True)
    if word is None or yes:
        return word
    if given is None and not sys.stdin.isatty():
        raise ApplianceError("confirmation-needed", f"this has to be confirmed with {word!r}", f"--confirm {word}")
    typed = given if given is not None else click.prompt(f"Type {clean(word)} to go on", err=True)
    if typed != word:
        raise ApplianceError("confirmation-wrong", f"{typed!r} is not {word!r}", "nothing was done")
    return word


def say_consequences(foreseen: dict[str, Any], json_out: bool) -> None:
    """What an action would do, why not, and what it would have to be confirmed with."""
    if json_out:
        as_json(foreseen)
        return
    for text in [*foreseen["texts"], foreseen["refused"]]:
        if text:
            click.echo(clean(text))
    if foreseen["confirm"]:
        click.echo(f"To be confirmed with: {clean(foreseen['confirm'])}")
