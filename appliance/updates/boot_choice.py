"""Which slot GRUB starts, as a model of ``image-builder/appliance/esp/grub.cfg``. Pure.

Each start counts a try of the slot that it takes. A system that is up sets its count back; one that never comes so
far is given up after three, and the slot before it is started. A system that cannot even be loaded is a try as well:
GRUB restarts the computer then. RAUC writes the same variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SLOTS = ("A", "B")
TRIES = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """What is started, and the variables that are saved before it is."""

    slot: str
    variables: dict[str, str]


FRESH: Mapping[str, str] = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0", "B_TRY": "0"}
"""What a flashed disk has."""


def tries_of(variables: Mapping[str, str], slot: str) -> int:
    """How often it was started since its count was set back; what is no count is none."""
    found = variables.get(f"{slot}_TRY", "")
    return int(found) if found in ("1", "2", "3") else 0


def is_good(variables: Mapping[str, str], slot: str) -> bool:
    """Whether it may be started at all: RAUC takes that away before it writes a slot."""
    return variables.get(f"{slot}_OK") == "1"


def order_of(variables: Mapping[str, str]) -> list[str]:
    """The slots in the order in which they are tried, those alone that exist."""
    found = [slot for slot in variables.get("ORDER", "").split() if slot in SLOTS]
    return list(dict.fromkeys(found))


def may_start(variables: Mapping[str, str], slot: str) -> bool:
    """Whether it is its turn at some time: it is listed, and has a try left."""
    return slot in order_of(variables) and is_good(variables, slot) and tries_of(variables, slot) < TRIES


def choose(variables: Mapping[str, str]) -> Choice:
    """What GRUB does at one start. Something is always started: a computer in a rack has nobody to ask."""
    after = dict(variables)
    able = [slot for slot in order_of(after) if may_start(after, slot)]
    if not able:
        after |= {f"{slot}_TRY": "0" for slot in SLOTS}
        able = [slot for slot in order_of(after) if may_start(after, slot)]
    if not able:
        return Choice(SLOTS[0], after)
    after[f"{able[0]}_TRY"] = str(tries_of(after, able[0]) + 1)
    return Choice(able[0], after)
