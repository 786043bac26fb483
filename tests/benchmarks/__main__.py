"""``python -m tests.benchmarks``: measure, and print one table. Exit code 0 when every bound is kept, 1 otherwise."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from appliance.errors import ApplianceError
from tests.benchmarks import (
    boot,
    console_proxy,
    dhcp,
    disk_delivery,
    dns,
    exhaustion,
    hall,
    hand_over,
    http_boot,
    idle_daemon,
    lab_check,
    lists,
    live_viewers,
    many_vms,
    many_volumes,
    pools,
    stack_size,
    storm,
    tftp,
)
from tests.benchmarks.bench import Bench, open_bench, say
from tests.benchmarks.figure import Figure, as_json, as_table

BENCHMARKS: dict[str, Callable[[Bench], Awaitable[list[Figure]]]] = {
    "stack-size": stack_size.measure,
    "boot": boot.measure,
    "idle-daemon": idle_daemon.measure,
    "lists": lists.measure,
    "hand-over": hand_over.measure,
    "lab-check": lab_check.measure_again,
    "lab-check-fresh": lab_check.measure_fresh,
}
"""In this order: each leaves the lab in a state that the next one can begin with."""


ALONE: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
    dhcp.NAME: dhcp.measure,
    dns.NAME: dns.measure,
    tftp.NAME: tftp.measure,
    http_boot.NAME: http_boot.measure,
    storm.NAME: storm.measure,
    exhaustion.NAME: exhaustion.measure,
    hall.NAME: hall.measure,
    live_viewers.NAME: live_viewers.measure,
    many_volumes.NAME: many_volumes.measure,
    many_vms.NAME: many_vms.measure,
    disk_delivery.NAME: disk_delivery.measure,
    pools.NAME: pools.measure,
    console_proxy.NAME: console_proxy.measure,
}
"""These need no lab, and have the computer for themselves before there is one."""


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*ALONE, *BENCHMARKS]), help="Can be given several times.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Of what is measured repeatedly.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures here.")
@click.pass_context
def main(context: click.Context, only: tuple[str, ...], rounds: int, json_file: Path | None) -> None:
    """Measure what the product promises, in a lab of its own. Leave the computer alone meanwhile."""
    before = os.getloadavg()[0]
    figures, whole = asyncio.run(_measure([name for name in (*ALONE, *BENCHMARKS) if not only or name in only], rounds))
    circumstances = (
        f"{os.cpu_count()} cores, emulated machines; load before {before:.1f}, after {os.getloadavg()[0]:.1f}"
    )
    Console().print(as_table(figures, circumstances))
    if json_file:
        json_file.write_text(json.dumps(as_json(figures, circumstances), indent=2) + "\n")
    context.exit(0 if whole and all(each.met for each in figures) else 1)


async def _measure(names: Iterable[str], rounds: int) -> tuple[list[Figure], bool]:
    """The figures, and whether they are all there; what fails costs its own figures only."""
    wanted = list(names)
    found = [await _figures(name, ALONE[name]) for name in wanted if name in ALONE]
    if in_lab := [name for name in wanted if name in BENCHMARKS]:
        async with open_bench(rounds) as bench:
            found += [await _figures(name, partial(BENCHMARKS[name], bench)) for name in in_lab]
    return [figure for figures in found for figure in figures or ()], None not in found


async def _figures(name: str, measure: Callable[[], Awaitable[list[Figure]]]) -> list[Figure] | None:
    """What a benchmark measured; None where it failed."""
    say(f"--- {name}")
    try:
        return await measure()
    except (ApplianceError, TimeoutError) as error:
        say(f"{name} failed: {error or 'it took too long'}")
        return None


if __name__ == "__main__":
    main()
