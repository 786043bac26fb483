"""A unit that does not start: what it said itself is in the error."""

import pytest
from paper_computer import computer

from appliance.errors import ApplianceError
from appliance.privileged.units import bring_up

FAILED = ApplianceError("program-failed", "systemctl restart nfs-server.service: Job failed", "look there")


async def failing(tmp_path, journal):
    on, programs = computer(tmp_path, {"systemctl restart": FAILED, "journalctl": journal})
    with pytest.raises(ApplianceError) as caught:
        await bring_up(on, "restart", "nfs-server.service", seconds=9.0)
    assert "--unit=nfs-server.service" in programs.ran[-1]
    return caught.value


async def test_a_unit_that_comes_up_is_not_looked_into(tmp_path):
    on, programs = computer(tmp_path, {"systemctl start": ""})
    await bring_up(on, "start", "one.service", "two.service", seconds=9.0)
    assert programs.ran == [["systemctl", "start", "one.service", "two.service"]]


async def test_one_that_fails_has_its_last_words_in_the_error(tmp_path):
    error = await failing(tmp_path, f"no such address\n\n{'x' * 5000}\n")
    assert (error.code, error.hint) == ("program-failed", "look there")
    assert error.message.startswith(f"{FAILED.message}\nThe journal says last:\nno such address\nxxx")
    assert len(error.message) < 400


async def test_without_a_journal_the_failure_is_told_all_the_same(tmp_path):
    for journal in ("", ApplianceError("program-failed", "journalctl: no journal files")):
        assert (await failing(tmp_path, journal)).message == FAILED.message
