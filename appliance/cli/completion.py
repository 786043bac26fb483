"""``qrm completion``: the shell's Tab key knows commands, options, and the names that the appliance has."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from appliance.cli.context import api
from appliance.errors import ApplianceError

SHELLS = ("bash", "zsh", "fish")
PATIENCE = 2.0
"""Seconds that somebody who pressed Tab waits for names."""
MOST = 200

Completes = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    For bash: qrm completion bash > ~/.local/share/bash-completion/completions/qrm
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(click.get_current_context().find_root().command, {}, "qrm", "_QRM_COMPLETE").source())


def names(path: str) -> Completes:
    """Completes the names in the listing at ``path``; nothing where the appliance does not answer at once."""

    def complete(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
        try:
            connected = api()
            connected.seconds = PATIENCE
            found: list[dict[str, Any]] = connected.get(path, limit=MOST, q=begun or None)["items"]
        except ApplianceError:
            return []  # who pressed Tab wants no error in the middle of a line
        return [CompletionItem(each["name"]) for each in found if each["name"].startswith(begun)]

    return complete
