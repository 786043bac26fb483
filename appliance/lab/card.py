"""The papers on a running lab's door: its plan, and the card with what another command needs to go in."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError, NotFound
from appliance.lab.directory import LabDirectory, running
from appliance.lab.plan import LabPlan


@dataclass(frozen=True, slots=True)
class Card:
    """``door`` is the process id to enter by, ``port`` the console's TCP port on 127.0.0.1."""

    door: int
    port: int | None
    machines: tuple[str, ...]


def write_card(directory: LabDirectory, card: Card) -> None:
    """Put the card up; whoever reads sees all of it or nothing."""
    draft = directory.path / "lab.json.new"
    draft.write_bytes(msgspec.json.encode(card))
    os.replace(draft, directory.card)


def read_card(directory: LabDirectory) -> Card:
    """Read the card; raises ``lab-gone`` when it is away."""
    try:
        return decoded(directory.card.read_bytes(), Card)
    except FileNotFoundError:
        raise ApplianceError("lab-gone", f"no lab runs in {directory.path}") from None


def find_lab(base: Path, name: str | None) -> LabDirectory:
    """The running lab called ``name``, or the only one; raises ``lab-none`` or ``lab-which``."""
    labs = {directory.name: directory for directory in running(base)}
    if name is not None and name not in labs:
        raise NotFound("lab-none", f"no lab called {name!r} is running", _running_hint(labs))
    if not labs:
        raise NotFound("lab-none", "no lab is running", "start one with: qrm lab")
    if name is None and len(labs) > 1:
        raise ApplianceError("lab-which", "several labs are running", f"name one with --lab: {', '.join(labs)}")
    return labs[name] if name is not None else next(iter(labs.values()))


def _running_hint(labs: dict[str, LabDirectory]) -> str:
    return f"running now: {', '.join(labs) or 'none'}"


def write_plan(directory: LabDirectory, plan: LabPlan) -> None:
    """Write down what the lab consists of, for its inside and for other commands."""
    directory.plan.write_bytes(msgspec.json.encode(plan))


def read_plan(directory: LabDirectory) -> LabPlan:
    """What the lab consists of; raises ``lab-gone`` when there is none."""
    try:
        return decoded(directory.plan.read_bytes(), LabPlan)
    except FileNotFoundError:
        raise ApplianceError("lab-gone", f"no lab runs in {directory.path}") from None
