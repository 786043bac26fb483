"""How the appliance of a lab reaches the power buttons of its machines."""

from collections.abc import Mapping
from typing import Any

from appliance.lab.controller import PORT, USER
from appliance.lab.controller_key import controller_key
from appliance.lab.directory import LabDirectory
from appliance.lab.plan import LabPlan


def settings(directory: LabDirectory, node: str) -> dict[str, Any]:
    """What ``PUT /machines/{key}/power`` takes for the machine of the lab that is called ``node``."""
    key = controller_key(directory.controller_key, directory.controller_password)
    return {
        "kind": "redfish",
        "address": "127.0.0.1",
        "port": PORT,
        "user": USER,
        "system": node,
        "fingerprint": key.fingerprint,
        "secret": key.password,
    }


def node_of(plan: LabPlan, machine: Mapping[str, Any]) -> str | None:
    """What a machine, as the API shows it, is called in the lab; None where it is none of them."""
    shown = set(machine["macs"])
    return next((each.name for each in plan.machines if shown & {nic.mac for nic in each.nics}), None)
