"""``qrm slot``: what units of systemd run at each start of a flashed appliance, as root."""

import asyncio
import logging
import os

import click

from appliance.errors import ApplianceError

log = logging.getLogger(__name__)

RESTARTS = 10
"""Exit code of ``judge`` where the computer restarts; its unit begins anew after any other but 0."""


@click.group()
def slot() -> None:
    """Find out at a start what became of an update; units of systemd do that."""


@slot.command()
def settle() -> None:
    """Say whether what runs is on trial, and whether an update fell back, before the daemon starts."""
    from appliance import journal
    from appliance.privileged.computer import Computer
    from appliance.privileged.trial import settle as settled

    journal.set_up(os.environ)
    asyncio.run(settled(Computer()))


@slot.command()
@click.option("--deadline", type=float, help="Seconds until it is not good; 600, or 900 where the start was slow.")
def judge(deadline: float | None) -> int:
    """Mark what is on trial good once everything runs, or restart; then renew the boot loaders."""
    from appliance import journal

    journal.set_up(os.environ)
    return asyncio.run(_judged(deadline))


async def _judged(deadline: float | None) -> int:
    from appliance.privileged import loader, looks, trial
    from appliance.privileged.computer import Computer
    from appliance.privileged.verbs.loader import Renew

    on = Computer()
    patience = trial.deadline(on) if deadline is None else deadline
    if not await trial.judge(on, lambda: looks.look(on), asyncio.sleep, patience):
        return RESTARTS
    if trial.at_home(on):
        try:
            for place in await loader.renew(Renew(), on, lambda _, text="": None):
                log.info("%s is renewed", place)
        except ApplianceError as error:
            log.warning("the boot loaders stay as they are: %s", error.message)
    return 0
