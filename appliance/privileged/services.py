"""Carries out the verbs of ``verbs/services.py``, through systemctl(1)."""

from appliance.errors import Invalid
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verb import Done
from appliance.privileged.verbs.services import RESTARTABLE, UNITS, Restart, States, UnitState

_PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "Result", "StateChangeTimestamp", "NRestarts")


async def states(verb: States, on: Computer, tell: Tell) -> list[UnitState]:
    """One call for all of them; raises ``program-failed`` where systemd does not run."""
    shown = await on.run(["systemctl", "show", f"--property={','.join(_PROPERTIES)}", *UNITS])
    blocks = [_properties(block) for block in shown.strip().split("\n\n")]
    # The answers come in the order of the questions; the Id is that of the unit that an alias means.
    return [_state(unit, found) for unit, found in zip(UNITS, blocks, strict=True)]


def _properties(block: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in block.splitlines())}


def _state(unit: str, found: dict[str, str]) -> UnitState:
    restarts = found.get("NRestarts", "")
    return UnitState(
        unit=unit,
        about=UNITS[unit],
        loaded=found.get("LoadState") == "loaded",
        active=found.get("ActiveState", ""),
        sub=found.get("SubState", ""),
        result=found.get("Result", ""),
        since=found.get("StateChangeTimestamp", ""),
        restarts=int(restarts) if restarts.isdecimal() else 0,
    )


async def restart(verb: Restart, on: Computer, tell: Tell) -> Done:
    """The unit's name is one of a short list; raises Invalid ``unit-refused`` for any other."""
    if verb.unit not in RESTARTABLE:
        text = f"{verb.unit[:80]!r} is not restarted by the privileged helper"
        raise Invalid("unit-refused", text, f"name one of {', '.join(RESTARTABLE)}", "unit")
    await on.run(["systemctl", "--no-block", "restart", verb.unit])
    return Done()
