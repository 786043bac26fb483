"""The areas power and services: which program is run, and what is refused."""

import pytest
from paper_computer import computer, quiet

from appliance.errors import ApplianceError, Invalid
from appliance.privileged import power, services
from appliance.privileged.verb import Done
from appliance.privileged.verbs.power import PowerOff, Reboot
from appliance.privileged.verbs.services import DAEMON, UNITS, Restart, States


async def test_reboot_and_power_off_are_asked_of_systemd_without_waiting_for_our_own_end(tmp_path):
    on, programs = computer(tmp_path, {"systemctl": ""})
    assert await power.reboot(Reboot(), on, quiet) == Done()
    assert await power.power_off(PowerOff(), on, quiet) == Done()
    assert programs.ran == [["systemctl", "--no-block", "reboot"], ["systemctl", "--no-block", "poweroff"]]


def shown(argv):
    """What systemctl show says: the daemon runs, chrony is not installed, the others have never run."""
    blocks = []
    for unit in argv[3:]:
        state = {"Id": unit, "LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead", "Result": "success"}
        if unit == DAEMON:
            state |= {"ActiveState": "active", "SubState": "running", "NRestarts": "2"}
            state |= {"StateChangeTimestamp": "Sun 2026-11-22 00:01:02 UTC"}
        if unit == "chrony.service":
            state |= {"LoadState": "not-found", "NRestarts": "[not set]"}
        blocks.append("\n".join(f"{key}={value}" for key, value in state.items()))
    return "\n\n".join(blocks) + "\n"


async def test_the_states_of_our_units(tmp_path):
    on, _ = computer(tmp_path, {"systemctl show": shown})
    found = {each.unit: each for each in await services.states(States(), on, quiet)}
    assert list(found) == list(UNITS)
    daemon = found[DAEMON]
    assert (daemon.loaded, daemon.active, daemon.sub, daemon.restarts) == (True, "active", "running", 2)
    assert daemon.since == "Sun 2026-11-22 00:01:02 UTC"
    assert not found["chrony.service"].loaded
    assert found["ssh.service"].active == "inactive"


async def test_without_systemd_the_reason_is_told(tmp_path):
    on, _ = computer(tmp_path, {"systemctl": ApplianceError("program-failed", "not booted with systemd")})
    with pytest.raises(ApplianceError, match="not booted"):
        await services.states(States(), on, quiet)


async def test_a_few_units_may_be_restarted_and_no_other(tmp_path):
    on, programs = computer(tmp_path, {"systemctl": ""})
    await services.restart(Restart(DAEMON), on, quiet)
    assert programs.ran == [["systemctl", "--no-block", "restart", DAEMON]]
    for unit in ("ssh.service", "--force", "", "appliance.service; reboot", "appliance.service\nx"):
        with pytest.raises(Invalid) as caught:
            await services.restart(Restart(unit), on, quiet)
        assert (caught.value.code, caught.value.field) == ("unit-refused", "unit")
    assert len(programs.ran) == 1
