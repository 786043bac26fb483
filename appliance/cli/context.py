"""What commands have in common: which appliance, and how a listing is asked for."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from appliance.cli.client import Api, api_of, normal_url
from appliance.cli.credentials import load

F = TypeVar("F", bound=Callable[..., Any])


def api() -> Api:
    """The appliance that this command is for: ``--server``, QRM_SERVER, or the last log-in."""
    url = click.get_current_context().find_root().params.get("server")
    return api_of(load().chosen(normal_url(url) if url else None))


def json_option(command: F) -> F:
    """``--json``, as every listing has it."""
    return click.option("--json", "json_out", is_flag=True, help="Print JSON for programs.")(command)


def confirm_option(command: F) -> F:
    """``--confirm``, as everything that destroys something has it."""
    return click.option("--confirm", metavar="WORD", help="What would have to be typed, for scripts.")(command)


class Listing(click.Group):
    """A group whose first command, ``list``, is meant when none is named: ``qrm machines --json``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` where no command stands."""
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)
