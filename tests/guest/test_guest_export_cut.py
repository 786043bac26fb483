"""Power that goes in the middle of an export: nothing is exported afterwards, and the volume is whole."""

import json

import pytest

from tests.guest.outside.guest import Guest

PROGRAM = ["python3", "-m", "tests.guest.inside.export_cut"]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", ["nfs", "iscsi"])
def test_a_power_cut_in_the_middle_of_an_export_leaves_none(guest: Guest, kind: str) -> None:
    """After each of its changes; what was stored as wanted is granted once more by the daemon, as here."""
    guest.run([*PROGRAM, "begin"], seconds=900)
    for steps in range(1, 60):
        job = guest.start([*PROGRAM, "grant", kind, str(steps)])
        line = job.line(900)
        assert line in ("now", "end"), job.wait().stderr
        guest.power_cut()
        said = json.loads(guest.run([*PROGRAM, "look", kind], seconds=900).stdout)
        assert (said["listed"], said["left"]) == ([], []), f"after {steps} changes"
        assert (said["whole"], said["after"], said["checked"]) == (True, [], 0), f"after {steps} changes"
        if line == "end":
            break
    else:
        raise AssertionError("it never ends")
    guest.run([*PROGRAM, "end"], seconds=900)
