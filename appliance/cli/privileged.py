"""``qrm helper``: the privileged helper, as systemd starts it."""

from pathlib import Path

import click

USER = "appliance"


@click.command()
@click.option(
    "--socket", "path", type=click.Path(path_type=Path), help="Listen here, instead of a socket of systemd's."
)
@click.option("--user", default=USER, show_default=True, help="Who may ask, besides root.")
def helper(path: Path | None, user: str) -> int:
    """Carry out what needs root, for the daemon; started by systemd when it is asked."""
    from appliance.privileged.process import serve

    return serve(path, user)
