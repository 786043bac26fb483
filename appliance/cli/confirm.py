"""Asking before something is lost."""

import sys
from collections.abc import Sequence

import click

from appliance.cli.output import clean
from appliance.errors import ApplianceError


def confirmed(texts: Sequence[str], word: str | None, given: str | None) -> str | None:
    """What to send as confirmation of ``word``: asked for, or ``given`` with ``--confirm``.

    Raises ApplianceError where it has to be typed and cannot be, or is typed wrongly.
    """
    for text in texts:
        click.echo(clean(text), err=True)
    if word is None:
        return None
    if given is None and not sys.stdin.isatty():
        raise ApplianceError("confirmation-needed", f"this has to be confirmed with {word!r}", f"--confirm {word}")
    typed = given if given is not None else click.prompt(f"Type {clean(word)} to go on", err=True)
    if typed != word:
        raise ApplianceError("confirmation-wrong", f"{typed!r} is not {word!r}", "nothing was done")
    return word
