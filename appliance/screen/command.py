"""``qrm screen``: what runs on the appliance's own terminals."""

from pathlib import Path

import click


@click.command()
@click.option("--once", is_flag=True, help="Print the first page as text and end.")
@click.option("--size", "size", metavar="COLUMNSxROWS", help="Another size than the terminal has.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Show nothing but ASCII.")
@click.option("--config", "config", type=click.Path(path_type=Path), help="Another configuration file.")
def screen(once: bool, size: str | None, ascii_only: bool, config: Path | None) -> int:
    """Show the appliance's own screen on this terminal.

    It runs on tty1 and on the serial line by itself: address, fingerprint, set-up link, state of the services, and a
    menu for what helps when the console cannot be reached.
    """
    from appliance.screen.start import start

    return start(once, size, ascii_only, config)
