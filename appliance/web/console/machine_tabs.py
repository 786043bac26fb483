"""Two tabs of a machine: what the network knows of it, and what its kernels said while they started."""

import sqlite3
from typing import Any

from aiohttp import web

from appliance.lease import Lease, LeaseState
from appliance.store import boot_messages as messages
from appliance.store import leases, machines
from appliance.web.console.machines import tab_page
from appliance.web.keys import SERVICES

SOURCES = {messages.STACK: "Maintenance stack", messages.SYSTEM: "Deployed system"}


async def network(request: web.Request) -> web.Response:
    """GET /machines/{key}/network"""
    key, now = request.match_info["key"], request.app[SERVICES].clock()

    def job(db: sqlite3.Connection) -> dict[str, Any]:
        machine = machines.get(db, key)
        held = {lease.mac: lease for lease in leases.of_macs(db, machine.macs) if _holds(lease, now)}
        listed = (machine.inventory or {}).get("nics") or []
        found = {str(nic.get("mac")): nic for nic in listed if isinstance(nic, dict)}
        return {
            "interfaces": [(mac, found.get(mac, {}), held.get(mac)) for mac in machine.macs],
            "neighbours": _neighbours((machine.inventory or {}).get("neighbours")),
            "others": [nic for mac, nic in found.items() if mac not in machine.macs],
        }

    return await tab_page(request, "machine_network.html", "network", **await request.app[SERVICES].store.read(job))


def _neighbours(listed: Any) -> list[dict[str, Any]] | None:
    """What switches said; None where the agent has not listened yet."""
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else None


def _holds(lease: Lease, now: float) -> bool:
    return lease.state is LeaseState.BOUND and lease.end > now


async def boot_messages(request: web.Request) -> web.Response:
    """GET /machines/{key}/boot"""
    key = request.match_info["key"]

    def job(db: sqlite3.Connection) -> list[messages.BootMessages]:
        return messages.of_machine(db, machines.get(db, key).id)

    kept = await request.app[SERVICES].store.read(job)
    return await tab_page(request, "machine_boot.html", "boot", kept=kept, sources=SOURCES)
