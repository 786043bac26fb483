"""``qrm metrics``"""

from typing import Any

import click

from appliance.cli.context import api, json_option
from appliance.cli.listing import UNITS
from appliance.cli.output import as_json, table

DAY = 86400
FIGURES = {
    "dhcp": ("DHCP packets per second", 1.0),
    "boot": ("boot files and images, MB per second", 1e6),
    "dns": ("DNS questions per second", 1.0),
    "cpu": ("processor core, percent", 0.01),
    "memory": ("memory, MB", 1e6),
    "lag": ("longest delay of the event loop, ms", 0.001),
}
"""Column -> what it is, and what it is divided by."""


class Span(click.ParamType):  # type: ignore[type-arg]  # generic in some versions
    """A length of time as people write it, in seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """From "90m", "12h" or "1d"."""
        if isinstance(value, int):
            return value
        if not value[:-1].isdecimal() or value[-1:] not in UNITS:
            self.fail(f"{value!r}: write 90m, 12h or 1d", param, ctx)
        seconds = int(value[:-1]) * int(UNITS[value[-1]])
        if not 1 <= seconds <= DAY:
            self.fail(f"{value!r}: a day is the most that is kept", param, ctx)
        return seconds


@click.command()
@click.option("--last", "seconds", type=Span(), metavar="SPAN", default="1h", show_default=True, help="How far back.")
@json_option
def metrics(seconds: int, json_out: bool) -> None:
    """Show boot traffic and the load of the daemon: now, on average, and at most.

    Prometheus reads the same and more at /metrics, with a token.
    """
    found = api().get("/metrics/history", seconds=seconds)
    if json_out:
        as_json(found)
        return
    rows = [(said, *_summed(found[name], unit)) for name, (said, unit) in FIGURES.items() if found[name]]
    table(("figure", "now", "average", "at most"), rows, "No figures yet: the first comes after ten seconds.")


def _summed(values: list[float], unit: float) -> tuple[str, str, str]:
    now, average, most = values[-1], sum(values) / len(values), max(values)
    return f"{now / unit:.1f}", f"{average / unit:.1f}", f"{most / unit:.1f}"
