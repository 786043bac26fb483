"""From a machine's timeline to seconds per phase.  Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]
"""One entry of ``GET /machines/{id}/timeline``: ``at`` (unix time), ``kind``, ``text``, ``detail``."""

POWER_ON = "power-on"


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of the main job, and how the event that ends it is recognised."""

    name: str
    ends: Callable[[Item], bool]


def _kind(kind: str) -> Callable[[Item], bool]:
    return lambda item: item["kind"] == kind


def _state(state: str) -> Callable[[Item], bool]:
    return lambda item: item["kind"] == "machine.state" and _detail(item, "state", "to") == state


def _step(step: str) -> Callable[[Item], bool]:
    return lambda item: item["kind"] == "step.done" and _detail(item, "step") == step


def _detail(item: Item, *names: str) -> Any:
    detail = item.get("detail") or {}
    return next((detail[name] for name in names if name in detail), None)


def order(item: Item) -> tuple[float, int]:
    """Sort key that puts events in the order in which they happened."""
    return float(item["at"]), int(item.get("id", 0))


PHASES: tuple[Phase, ...] = (
    Phase("first-dhcp", _kind("dhcp.seen")),
    Phase("boot-script", _kind("script.served")),
    Phase("agent-started", _kind("agent.started")),
    Phase("idle", _state("idle")),
    Phase("deploy-started", _state("deploying")),
    Phase("image-written", _step("write-image")),
    Phase("kexec", _step("hand-over")),
    Phase("active", _state("active")),
    Phase("stopped", _state("stopped")),
    Phase("active-again", _state("active")),
    Phase("released", _state("releasing")),
    Phase("idle-again", _state("idle")),
)
"""In the order in which they happen; some events happen twice and mean another phase the second time."""

NAMES: tuple[str, ...] = (POWER_ON, *(phase.name for phase in PHASES))


def seconds_per_phase(timeline: Sequence[Item], powered_on_at: float) -> dict[str, float | None]:
    """Seconds from power-on to the end of each phase; None for a phase whose event is not there.

    ``timeline`` may be in any order; what was before power-on does not count. Events of one moment are told apart
    by their ``id``.
    """
    result: dict[str, float | None] = {POWER_ON: 0.0}
    rest = sorted((item for item in timeline if item["at"] >= powered_on_at), key=order)
    for phase in PHASES:
        index = next((index for index, item in enumerate(rest) if phase.ends(item)), None)
        result[phase.name] = None if index is None else round(rest[index]["at"] - powered_on_at, 2)
        rest = rest if index is None else rest[index + 1 :]
    return result
