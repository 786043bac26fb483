"""How a VM is shut down: its agent is asked, then its power button pressed, and at the end its plug is drawn. Pure.

Nothing is kept of it but when it began and what was told, so that a daemon that was killed goes on where it was; each
order is for a VM in any state that it can be in by then.
"""

from dataclasses import dataclass, replace

from appliance.vm import Order, VmState

PATIENCE = 120.0
"""Seconds until the plug is drawn, where nobody says otherwise; shown from the beginning."""
AGENT_SHARE = 0.5
"""Of the patience, for an agent that has taken the order; then the button is pressed as well."""
PRESS_AGAIN = 15.0
"""Seconds: some systems wake their screen by the first press, and take the second one."""


@dataclass(frozen=True, slots=True)
class ShuttingDown:
    """How far it is."""

    began: float
    patience: float = PATIENCE
    """Seconds."""
    agent: bool = True
    """Whether its agent is still worth a question; it is not, once it was silent."""
    told: Order | None = None
    """The last order that was given."""
    told_at: float = 0.0

    @property
    def ends(self) -> float:
        """When the plug is drawn."""
        return self.began + self.patience


def next_order(now: float, state: VmState, at: ShuttingDown) -> Order | None:
    """What it is to be told at ``now``; None: nothing, it is off or has its time still.

    What is paused, asleep or crashed hears no question, and does not run: it is not waited for.
    """
    if state is VmState.OFF or (state is VmState.STOPPING and now < at.ends):
        return None
    if now >= at.ends or state is not VmState.RUNNING:
        return Order.OFF
    if at.agent and at.told is None:
        return Order.ASK_AGENT
    if at.told is Order.ASK_AGENT and at.agent and now < at.began + at.patience * AGENT_SHARE:
        return None
    return Order.ASK_ACPI if at.told is not Order.ASK_ACPI or now >= at.told_at + PRESS_AGAIN else None


def after(now: float, order: Order, at: ShuttingDown, silent: bool = False) -> ShuttingDown:
    """Once that order was given; ``silent``: the agent did not answer it."""
    return replace(at, told=order, told_at=now, agent=at.agent and not silent)


def look_again(now: float, at: ShuttingDown) -> float:
    """The next moment at which time alone has something to be told."""
    moments = [at.ends]
    if at.told is Order.ASK_AGENT and at.agent:
        moments.append(at.began + at.patience * AGENT_SHARE)
    elif at.told is Order.ASK_ACPI:
        moments.append(at.told_at + PRESS_AGAIN)
    else:
        moments.append(now)
    return max(now, min(moments))
