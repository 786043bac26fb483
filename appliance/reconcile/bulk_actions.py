"""What can be done to many machines or deployments at once: one table for each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from appliance.accounts import Asker
from appliance.machine import check_hand_over, check_tags
from appliance.power_order import PowerAction
from appliance.reconcile.consequences import Action
from appliance.reconcile.power_actions import POWER_ACTIONS
from appliance.reconcile.wishes import MachineChange, Wishes
from appliance.ssh_keys import check_lines


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a bulk action needs besides its items, whichever it is."""

    tags: tuple[str, ...] = ()
    """Of ``tag`` and ``untag``."""
    hand_over: str | None = None
    """Of ``hand-over``: ``kexec`` or ``reboot``."""
    ssh_keys: tuple[str, ...] = ()
    """Of ``rescue``."""


def check_arguments(given: Arguments) -> None:
    """Raise Invalid for what no item would take: said once and at once, and never stored."""
    check_tags(given.tags)
    check_lines(given.ssh_keys)
    if given.hand_over is not None:
        check_hand_over(given.hand_over)


ASKED = {power: action for action, power in POWER_ACTIONS.items()}

Act = Callable[[Wishes, str, Arguments, Asker], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class BulkAction:
    """One thing that can be done to many."""

    title: str
    """With ``{}`` where it says to how many."""
    act: Act
    destroys: bool = False
    """Whether it has to be confirmed with their number."""
    needs: str = ""
    """The argument that has to be given."""


def _change(**change: Any) -> Act:
    return lambda wishes, key, _, by: wishes.change_machine(key, MachineChange(**change), by)


def _tag(wishes: Wishes, key: str, given: Arguments, by: Asker) -> Awaitable[object]:
    return wishes.change_machine(key, MachineChange(add_tags=given.tags), by)


def _untag(wishes: Wishes, key: str, given: Arguments, by: Asker) -> Awaitable[object]:
    return wishes.change_machine(key, MachineChange(remove_tags=given.tags), by)


def _hand_over(wishes: Wishes, key: str, given: Arguments, by: Asker) -> Awaitable[object]:
    return wishes.change_machine(key, MachineChange(hand_over=given.hand_over), by)


def _power(action: PowerAction) -> Act:
    """What is lost was confirmed for all of them at once."""

    async def act(wishes: Wishes, key: str, _: Arguments, by: Asker) -> object:
        told = await wishes.machine_consequences(key, ASKED[action])
        return await wishes.power(key, action, told.confirm, by)

    return act


MACHINE_ACTIONS: dict[str, BulkAction] = {
    "maintenance-on": BulkAction("Maintenance on for {}", _change(maintenance=True)),
    "maintenance-off": BulkAction("Maintenance off for {}", _change(maintenance=False)),
    "break": BulkAction("Call {} broken", _change(broken=True)),
    "mend": BulkAction("Call {} mended", _change(broken=False)),
    "tag": BulkAction("Tag {}", _tag, needs="tags"),
    "untag": BulkAction("Take tags off {}", _untag, needs="tags"),
    "hand-over": BulkAction("Choose the hand-over of {}", _hand_over, needs="hand_over"),
    "rescue": BulkAction("Rescue {}", lambda w, key, given, by: w.rescue(key, given.ssh_keys, by), needs="ssh_keys"),
    "end-rescue": BulkAction("End the rescue of {}", lambda w, key, _, by: w.end_rescue(key, by)),
    "admit": BulkAction("Let {} in", lambda w, key, _, by: w.admit(key, by)),
    "power-on": BulkAction("Switch {} on", _power(PowerAction.ON)),
    "power-off": BulkAction("Switch {} off", _power(PowerAction.OFF), destroys=True),
    "power-cycle": BulkAction("Switch {} off and on again", _power(PowerAction.CYCLE), destroys=True),
    "power-network-once": BulkAction("Restart {} from the network", _power(PowerAction.NETWORK_ONCE), destroys=True),
    "delete": BulkAction("Delete {}", lambda w, key, _, by: w.delete_machine(key, by), destroys=True),
}


async def _plainly(wishes: Wishes, key: str, action: Action, by: Asker) -> object:
    """What needs no confirmation; what does is refused with what it would do."""
    return await wishes.act(key, action, None, by)


async def _released(wishes: Wishes, key: str, _: Arguments, by: Asker) -> object:
    """Confirmed for all of them at once."""
    foreseen = await wishes.consequences(key, Action.RELEASE)
    return await wishes.act(key, Action.RELEASE, foreseen.confirm, by, foreseen.content)


DEPLOYMENT_ACTIONS: dict[str, BulkAction] = {
    "start": BulkAction("Start {}", lambda w, key, _, by: _plainly(w, key, Action.START, by)),
    "stop": BulkAction("Stop {}", lambda w, key, _, by: _plainly(w, key, Action.STOP, by)),
    "retry": BulkAction("Retry {}", lambda w, key, _, by: _plainly(w, key, Action.RETRY, by)),
    "release": BulkAction("Release {}", _released, destroys=True),
    "delete": BulkAction("Delete {}", lambda w, key, _, by: w.delete_deployment(key, by), destroys=True),
}
