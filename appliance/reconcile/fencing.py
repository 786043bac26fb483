"""Taking a deployment off a broken machine, which nobody asks any more, and which may run all the same.

It may start elsewhere while the old system still runs: that is two of one name. So it is taken off once the machine is
fenced: told to be off by its switch, and then seen to be off twice. That is what an order for off does
(``power_order``), and the deployment goes in the transaction that stores its good end: whenever the daemon dies, it is
on the machine or the machine is off. What a switch said some time ago is no proof: somebody may have pressed the button
since. Where there is no such switch, a root volume is cut off: nobody gets it before its export has ended, which
``root_volumes`` sees to, and the old system can write nothing more.
"""

import sqlite3
from dataclasses import replace

from appliance.delivery import on_volume
from appliance.deployment import Deployment, Wanted, detached
from appliance.events import Event
from appliance.machine import Machine, State
from appliance.power_known import Switch
from appliance.power_order import NEEDS, PowerAction, PowerOrder
from appliance.power_switch import abilities
from appliance.reconcile.consequences import Consequences
from appliance.reconcile.record import Tell
from appliance.store import deployments, roots
from appliance.workflow import DeploymentId


def can_fence(switch: Switch | None) -> bool:
    """Whether a machine can be switched off, and seen to be off. Pure."""
    return switch is not None and NEEDS[PowerAction.OFF] <= abilities(switch.settings.kind)


def fenced(
    foreseen: Consequences, deployment: Deployment, machine: Machine, switch: Switch | None, order: PowerOrder | None
) -> Consequences:
    """What taking the deployment off a broken machine would do, with what that means for its power. Pure.

    ``order`` is what its switch is at.
    """
    if foreseen.refused:
        return foreseen
    name, what = machine.name, deployment.name
    if switch is not None and can_fence(switch):
        if order is not None:
            text = f"the power switch of {name} is at work ({order.action}); wait until that has ended, or cancel it"
            return replace(foreseen, refused=text)
        return replace(foreseen, texts=(*foreseen.texts, *_first_off(name, what, switch)))
    if on_volume(deployment.delivery):
        text = f"{name} is not confirmed to be off: the export of the root of {what} is ended at once, so that nothing "
        rest = "more is written to it. What runs there may go on in memory, until somebody switches it off."
        return replace(foreseen, texts=(*foreseen.texts, f"{text}{rest}"))
    text = f"{name} is not confirmed to be off: {what} may go on running there, until somebody switches it off."
    return replace(foreseen, texts=(*foreseen.texts, text))


def _first_off(name: str, what: str, switch: Switch) -> tuple[str, ...]:
    text = f"{name} is switched off first, at once; {what} stays on it until it is seen to be off."
    if not switch.seen.trouble:
        return (text,)
    trouble = f"Its switch could not be asked the last time: {switch.seen.trouble}. Where that stays so, remove the "
    return text, f"{trouble}switch, and see to it yourself that {name} is off."


def let_go(
    db: sqlite3.Connection, tell: Tell, order: PowerOrder, of: DeploymentId, machine: Machine, now: float
) -> PowerOrder:
    """Take a deployment off its machine, which the order has confirmed to be off; the order as it is to be stored.

    One whose machine was mended meanwhile is released as from any other machine, where its disk may have to be wiped.
    """
    deployment = deployments.find(db, of)
    if deployment is None or deployment.machine != machine.id:
        return order
    if machine.state is not State.BROKEN:
        why = f"{machine.name} was mended in the meantime: {deployment.name} is still on it"
        return replace(order, code="machine-mended", reason=why)
    roots.end_system(db, deployment.id, machine.id)
    deployments.put(db, replace(detached(deployment), wanted=Wanted.RELEASED))
    text, why = f"{deployment.name} was taken off {machine.name}", "it is confirmed to be off"
    tell(Event("deployment.changed", now, text, why, machine.id, deployment.id))
    return order
