"""Power switches: the key of their passwords, who speaks with them, and the loops that do."""

from dataclasses import dataclass

from appliance.assembly.ground import Ground
from appliance.assembly.parts import Run
from appliance.power_key import power_key
from appliance.reconcile.jobs import JobKind
from appliance.reconcile.power_actions import KIND, job_kind
from appliance.reconcile.power_loop import PowerLoop
from appliance.reconcile.power_orders import PowerOrders
from appliance.reconcile.power_watch import PowerWatch
from appliance.reconcile.power_wishes import PowerWishes
from appliance.reconcile.switchboard import Switchboard
from appliance.store.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Power:
    """All of it."""

    wishes: PowerWishes
    loops: dict[str, Run]
    jobs: dict[str, JobKind]


def power_parts(on: Ground) -> Power:
    """Raises ApplianceError where the key cannot be read or made."""
    sealer = Sealer(power_key(on.state))
    shared = (on.store, on.bus, on.clock)
    interfaces = {subnet.interface: subnet.address for subnet in on.subnets if subnet.remote is None}
    board = Switchboard(*shared, sealer, interfaces)
    orders = PowerOrders(*shared, board)
    return Power(
        PowerWishes(*shared, sealer),
        {"power": PowerLoop(*shared, orders).run, "power watch": PowerWatch(*shared, board).run},
        {KIND: job_kind(on.store, orders)},
    )
