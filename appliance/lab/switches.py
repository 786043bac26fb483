"""How the appliance of a lab reaches the power buttons of its machines."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from appliance.errors import ApplianceError, Conflict
from appliance.lab.card import read_plan
from appliance.lab.controller import PORT, USER
from appliance.lab.controller_key import controller_key
from appliance.lab.directory import LabDirectory
from appliance.lab.plan import LabPlan
from appliance.lab.setup_link import fingerprint


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


class Api(Protocol):
    """The API of an appliance, as an administrator has it."""

    def get(self, path: str, **query: Any) -> Any:
        """What is there; raises ApplianceError."""
        ...

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer to a change; raises ApplianceError."""
        ...


def give(api: Api, directory: LabDirectory, known: list[dict[str, Any]]) -> Iterator[str]:
    """Set up the switch of every machine of the lab among those that its appliance knows; a line about each.

    What is set up and answers stays as it is. Raises Conflict ``lab-elsewhere`` where ``api`` is that of another
    appliance, which has no business with the password of this lab, and ApplianceError ``lab-no-machine``.
    """
    if api.get("/settings")["fingerprint"] != fingerprint(directory.daemon_state):
        text = f"qrm is logged in to another appliance than that of the lab {directory.name}"
        raise Conflict("lab-elsewhere", text, "name the lab's with: qrm --server URL lab switches")
    plan = read_plan(directory)
    found = {node: machine for machine in known if (node := node_of(plan, machine))}
    if not found:
        hint = "wait until they have booted, then do this again"
        raise ApplianceError("lab-no-machine", "the appliance knows no machine of this lab yet", hint)
    for each in plan.machines:
        if each.name in found:
            yield _given(api, found[each.name], each.name, settings(directory, each.name))
        else:
            yield f"{each.name} is not known yet: once it has booted, do this again"


def _given(api: Api, machine: Mapping[str, Any], node: str, wanted: dict[str, Any]) -> str:
    path = f"/machines/{machine['id']}/power"
    told = {name: value for name, value in wanted.items() if name != "secret"}
    present = _present(api, path)
    if told.items() <= present.items() and present["secret_set"] and not present["power"]["trouble"]:
        return f"{node} is {machine['name']}, and has its switch already"
    api.send("PUT", path, wanted)
    return f"{node} is {machine['name']}, and has its switch now"


def _present(api: Api, path: str) -> Mapping[str, Any]:
    """The switch that is set up; nothing where there is none."""
    try:
        found: dict[str, Any] = api.get(path)
    except ApplianceError as error:
        if error.code != "power-none":
            raise
        return {}
    return found
