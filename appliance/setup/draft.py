"""What was answered so far in the five steps, and how far it has gone from there. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from appliance.errors import Conflict
from appliance.setup.value import Account, Management, Provisioning, SetUp, Site, Storage

Step = Literal["account", "site", "networks", "storage", "ready"]
STEPS: tuple[Step, ...] = ("account", "site", "networks", "storage", "ready")
WORDS: Mapping[Step, str] = {
    "account": "Account",
    "site": "Name and time",
    "networks": "Networks",
    "storage": "Storage",
    "ready": "Ready",
}
Phase = Literal["asking", "trying", "finishing", "done"]
"""``asking``: steps are open. ``trying``: the new network is on, and goes back unless somebody comes over it.
``finishing``: it was confirmed, the rest is written. ``done``: the appliance is set up."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Answers that were accepted, and what was typed and refused."""

    site: Site | None = None
    management: Management | None = None
    provisioning: Provisioning | None = None
    """None beside a management network: to be chosen later."""
    storage: Storage | None = None
    agreed: tuple[str, ...] = ()
    """What is lost on the chosen disks, as it was agreed to."""
    typed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By step, what was typed and refused: it stands in the form until something is accepted."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the set-up has gone."""

    phase: Phase = "asking"
    name: str = ""
    """Who began; empty in the phase of asking."""
    until: float | None = None
    """When the network goes back by itself; Unix time."""
    target: str = ""
    """Host and port at which the console is to be found then; empty where the address stays."""
    message: str = ""
    """What it is doing, or why it came back to asking."""
    failed: bool = False
    """Whether the message tells of something that went wrong."""


def accepted(draft: Draft) -> tuple[Step, ...]:
    """The steps that are behind us; the account is made before there is a draft."""
    done: list[Step] = ["account"]
    answers = {"site": draft.site, "networks": draft.management, "storage": draft.storage}
    for step in STEPS[1:4]:
        if answers[step] is None:
            break
        done.append(step)
    return tuple(done)


def open_step(draft: Draft) -> Step:
    """The first step that is not accepted yet."""
    return STEPS[len(accepted(draft))]


def reachable(draft: Draft, step: Step) -> bool:
    """Whether a step may be looked at: those behind us, and the next one."""
    return STEPS.index(step) <= STEPS.index(open_step(draft))


def without_typed(draft: Draft, step: Step) -> Draft:
    """Something was accepted: what was refused before is forgotten."""
    return replace(draft, typed={name: values for name, values in draft.typed.items() if name != step})


def whole(draft: Draft, account: Account) -> SetUp:
    """The set-up; raises Conflict ``setup-unfinished`` while a step is open."""
    if draft.site is None or draft.management is None or draft.storage is None:
        step = open_step(draft)
        hint = f"answer the step that is open: {WORDS[step].lower()}"
        raise Conflict("setup-unfinished", "not all steps are answered", hint, step)
    return SetUp(draft.management, account, draft.site, draft.provisioning, draft.storage)
