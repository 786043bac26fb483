"""Power switches of the machines of the seed: on, off, silent, and one that can only wake."""

import sqlite3

from appliance.machine import MachineId
from appliance.power_known import Seen
from appliance.power_order import OrderId, PowerAction, PowerOrder
from appliance.power_switch import PowerKind, PowerSettings, PowerState
from appliance.store import power
from appliance.store.sealing import KEY_BYTES, Sealer

SECRET = "calvin-and-hobbes"
SEALER = Sealer(b"k" * KEY_BYTES)
GONE = "10.77.1.13 does not answer"


def switched(db: sqlite3.Connection, ids: dict[str, MachineId], now: float) -> None:
    """Give some machines a switch that has said something."""
    for name, state in (("node-11", PowerState.ON), ("node-12", PowerState.ON), ("node-16", PowerState.ON)):
        _switch(db, ids[name], PowerKind.REDFISH, Seen(state, now - 7200, now - 40))
    _switch(db, ids["node-17"], PowerKind.IPMI, Seen(PowerState.OFF, now - 600, now - 30))
    silent = Seen(PowerState.UNKNOWN, None, now - 4000, "power-unreachable", GONE, 7)
    _switch(db, ids["node-13"], PowerKind.IPMI, silent)
    power.put(db, ids["node-18"], PowerSettings(PowerKind.WAKE_ON_LAN), b"")
    power.put_wanted(db, ids["node-17"], PowerState.OFF, now - 640)
    power.add_order(db, PowerOrder(OrderId(0), ids["node-12"], PowerAction.CYCLE, now - 12, now - 4, "ada", index=1))


def _switch(db: sqlite3.Connection, machine: MachineId, kind: PowerKind, seen: Seen) -> None:
    system = "System.Embedded.1" if kind is PowerKind.REDFISH else ""
    settings = PowerSettings(kind, "10.77.1.12", user="appliance", system=system)
    power.put(db, machine, settings, SEALER.seal(SECRET, machine))
    power.put_seen(db, machine, seen)
