"""``qrm completion``: the shell's Tab key knows commands, options, and the names that the appliance has."""

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from appliance.cli.context import api
from appliance.cli.output import clean
from appliance.cli.patience import Patience
from appliance.errors import ApplianceError

SHELLS = ("bash", "zsh", "fish")
PATIENCE = 2.0
"""Seconds that somebody who pressed Tab waits for names."""
MOST = 200
NOTHING = (ApplianceError, OSError, LookupError, TypeError, ValueError)
"""Whatever goes wrong while somebody presses Tab is no matter of theirs, in the middle of a line."""

Completes = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
Given = Iterable[tuple[str, str]]
"""Words with what is said of each."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    For bash: qrm completion bash > ~/.local/share/bash-completion/completions/qrm
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(click.get_current_context().find_root().command, {}, "qrm", "_QRM_COMPLETE").source())


def names(path: str, says: str = "") -> Completes:
    """Completes the names in the listing at ``path``, which can be searched; ``says`` is the field that explains."""

    def found(begun: str) -> Given:
        return ((each["name"], str(each.get(says) or "")) for each in _ask(path, limit=MOST, q=begun or None)["items"])

    return _completing(found)


def values(path: str, field: str, says: str = "", **query: Any) -> Completes:
    """Completes a field of what is in a listing that cannot be searched; ``says`` is the field that explains it."""

    def found(begun: str) -> Given:
        return ((str(each[field]), str(each.get(says) or "")) for each in _ask(path, **query)["items"])

    return _completing(found)


def tags() -> Completes:
    """Completes tags that some machine has."""
    return _completing(lambda begun: ((tag, f"{many}") for tag, many in _ask("/machines/summary")["tags"].items()))


def interfaces() -> Completes:
    """Completes the appliance's own interfaces."""
    return _completing(
        lambda begun: ((each["name"], each["kind"]) for each in _ask("/appliance/network")["interfaces"])
    )


def event_kinds() -> Completes:
    """Completes kinds of events."""

    def found(begun: str) -> Given:
        from appliance.events import KINDS

        return KINDS.items()

    return _completing(found)


def _item(word: str, says: str) -> CompletionItem:
    return CompletionItem(word, help=clean(says))


def harmless(word: str) -> bool:
    """Whether a terminal only shows it, and a shell takes it for one word."""
    return clean(word) == word and not set(word) & set(" \t'\"\\$`;&|<>()!")


def _ask(path: str, **query: Any) -> Any:
    connected = api()
    connected.seconds, connected.patience = PATIENCE, Patience()
    return connected.get(path, **query)


def _completing(found: Callable[[str], Given]) -> Completes:
    def complete(ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
        try:
            with ctx.scope(cleanup=False):  # so that --server of the same line counts
                return [_item(word, says) for word, says in found(begun) if word.startswith(begun) and harmless(word)]
        except NOTHING:
            return []

    return complete
