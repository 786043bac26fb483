"""Takes what an agent heard from the switches that its machine is plugged into; every text of it is a stranger's."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from appliance.events import Bus, Event
from appliance.machine import in_rescue
from appliance.netboot.fleet import Neighbour
from appliance.reconcile.record import Tell, record
from appliance.store import machines, tokens
from appliance.store.store import Store

MOST = 256
"""Neighbours of one machine that are kept."""
LONGEST = 255
"""Characters of each text."""


class MachineNeighbours:
    """The part of ``netboot.fleet.Fleet`` that takes them."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float]) -> None:
        self._store, self._bus, self._clock = store, bus, clock

    async def take(self, token: str, heard: Sequence[Neighbour]) -> None:
        """Put them into the inventory of the machine with this machine token; raises Denied ``session-unknown``.

        Dropped where the inventory itself would be: without proof, while somebody else may be root there, or
        without one. To hear nobody is told too: then nobody is waited for.
        """
        kept = [shown(each) for each in heard[:MOST]]

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            session = tokens.get_session(db, token)
            machine = machines.get(db, session.machine)
            if not session.proven or in_rescue(machine) or machine.inventory is None:
                return
            if machine.inventory.get("neighbours") != kept:
                machines.put_inventory(db, machine.id, {**machine.inventory, "neighbours": kept})
                text, reason = in_words(kept)
                tell(Event("inventory.taken", self._clock(), text, reason, machine.id))

        await record(self._store, self._bus, job)


def shown(heard: Neighbour) -> dict[str, Any]:
    """As it is kept: printable and short. Pure."""
    texts = ("nic", "chassis", "port", "port_description", "system", "description", "address")
    vlan = heard.vlan if heard.vlan is not None and 0 < heard.vlan < 4095 else None
    return {**{name: _clean(getattr(heard, name)) for name in texts}, "vlan": vlan}


def _clean(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:LONGEST].strip()


def in_words(kept: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """What to tell of them, and why. Pure."""
    if not kept:
        return "no switch told of itself by LLDP", "it is switched off there, or takes longer than the agent listens"
    ports = [f"{each['nic']} to {each['port']} of {each['system'] or each['chassis']}" for each in kept]
    return f"it is plugged in: {'; '.join(ports)}"[:1000], "by LLDP, in the switches' own words"
