"""What is exported beside what is to be: which exports nobody wants, which are not there. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.export import ExportId, ExportKind
from appliance.machine import State
from appliance.privileged.verbs.exports import Exported
from appliance.root_volume import RootVolume
from appliance.workflow import Actor, Attempt, AttemptId

RESTING = frozenset({State.DISCOVERED, State.IDLE, State.STOPPED, State.RESCUE})
"""States in which no system of a deployment runs; in all others one may, and keeps what it runs from."""


@dataclass(frozen=True, slots=True)
class Stray:
    """An export of ours that nobody wants."""

    kind: ExportKind
    id: ExportId


def strays(found: Iterable[Exported], roots: Iterable[RootVolume]) -> list[Stray]:
    """Those that no root volume has; each once, in the order in which they were found."""
    wanted = {root.grant.export.id for root in roots if root.grant is not None}
    kinds = {kind.value for kind in ExportKind}
    these = (each for each in found if each.ours and each.kind in kinds and each.id not in wanted)
    return list(dict.fromkeys(Stray(ExportKind(each.kind), ExportId(each.id)) for each in these))


def absent(found: Iterable[Exported], roots: Iterable[RootVolume]) -> list[RootVolume]:
    """Root volumes whose exports were granted to their end once, and are not whole now."""
    whole = {(each.kind, each.id) for each in found if each.ours and each.whole}
    granted = [root for root in roots if root.grant is not None and root.grant.since is not None and not root.doomed]
    return [each for each in granted if each.grant and (each.grant.export.kind, each.grant.export.id) not in whole]


def is_idle(root: RootVolume, state: State | None, live: Attempt | None) -> bool:
    """Whether its export serves nobody that it is to serve: nothing runs from it, and nothing is under way that will.

    What runs from one that is doomed has no place any more, wherever its deployment is by now. ``state`` is that of the
    machine that the deployment is on, None where it is on none.
    """
    if root.grant is None:
        return False
    return root.doomed or state is None or (live is None and state in RESTING)


StepKey = tuple[AttemptId, int]
"""Which step of which attempt."""


def due(attempts: Iterable[Attempt]) -> dict[StepKey, Attempt]:
    """Those of these live attempts whose present step is the appliance's."""
    return {(each.id, each.index): each for each in attempts if each.step and each.step.actor is Actor.APPLIANCE}
