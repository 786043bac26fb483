"""``qrm helper``: what runs as root on a flashed appliance. systemd starts all of it."""

from pathlib import Path

import click

USER = "appliance"


@click.group(invoke_without_command=True)
@click.option(
    "--socket", "path", type=click.Path(path_type=Path), help="Listen here, instead of a socket of systemd's."
)
@click.option("--user", default=USER, show_default=True, help="Who may ask, besides root.")
@click.pass_context
def helper(ctx: click.Context, path: Path | None, user: str) -> int:
    """Carry out what needs root, for the daemon; started by systemd when it is asked."""
    if ctx.invoked_subcommand is not None:
        return 0
    from appliance.privileged.process import serve

    return serve(path, user)


@helper.command()
def settle() -> None:
    """Take an unconfirmed change of the network back and name the NICs, before the network starts."""
    from appliance.privileged.process import settle_network

    settle_network(USER)


@helper.command()
def revert() -> None:
    """Take back a change of the network that nobody confirmed in time."""
    from appliance.privileged.process import revert_network

    revert_network(USER)


@helper.command()
def firewall() -> None:
    """Put the rules on that follow from the networks."""
    from appliance.privileged.process import put_firewall

    put_firewall()
