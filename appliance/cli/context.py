"""What commands have in common: which appliance, which options, and which command is meant when none is named."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from appliance.cli.client import Api, api_of, normal_url
from appliance.cli.credentials import load

F = TypeVar("F", bound=Callable[..., Any])


def api() -> Api:
    """The appliance that this command is for: ``--server``, QRM_SERVER, or the last log-in."""
    root = click.get_current_context().find_root()
    url = root.params.get("server")
    patience = 0.0 if root.resilient_parsing else root.params.get("patience") or 0.0
    return api_of(load().chosen(normal_url(url) if url else None), patience)


def json_option(command: F) -> F:
    """``--json``, as every listing has it."""
    return click.option("--json", "json_out", is_flag=True, help="Print JSON for programs.")(command)


def confirm_option(command: F) -> F:
    """``--confirm``, as everything that destroys something has it."""
    return click.option("--confirm", metavar="WORD", help="What would have to be typed, for scripts.")(command)


def wait_option(command: F) -> F:
    """``--wait``, as everything that begins a task for one thing has it."""
    return click.option("--wait", "and_wait", is_flag=True, help="Come back when it is done.")(command)


class Listing(click.Group):
    """A group whose first command, ``list``, is meant when none is named: ``qrm machines --json``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` where no command stands; who presses Tab may still name another."""
        unnamed = not args and not ctx.resilient_parsing
        if unnamed or (args and args[0].startswith("-") and args[0] not in ("--help", "-h")):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Where the options of the list are told."""
        super().format_epilog(ctx, formatter)
        with formatter.indentation():
            formatter.write_paragraph()
            formatter.write_text(f"Without a command: {ctx.command_path} list, with its options.")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The group's commands, and the options of ``list``."""
        found = super().shell_complete(ctx, incomplete)
        listing = self.get_command(ctx, "list")
        if listing is None or not incomplete.startswith("-"):
            return found
        known = {each.value for each in found}
        return found + [each for each in listing.shell_complete(ctx, incomplete) if each.value not in known]
