"""The kernel's messages, read from its own device, for agent and resident alike."""

import os
from pathlib import Path

import pytest

from appliance.agent import kernel_messages as of_agent
from appliance.resident import kernel_messages as of_resident

both = pytest.mark.parametrize("module", [of_agent, of_resident], ids=["agent", "resident"])


@both
def test_one_record(module: object) -> None:
    line = module.line
    assert line("6,339,5140900,-;NET: Registered PF\n SUBSYSTEM=x\n DEVICE=y\n") == "[    5.140900] NET: Registered PF"
    assert line("4,1,0,c;Linux version 6.12; all of it") == "[    0.000000] Linux version 6.12; all of it"
    assert [line(bad) for bad in ("", "no record", "6,1,x,-;y", ";")] == [""] * 4


@both
def test_of_too_many_the_first_and_the_last_are_kept(module: object) -> None:
    shortened = module.shortened
    lines = [f"line {number} ä" for number in range(1000)]
    assert shortened(lines, 1 << 20).splitlines() == lines
    said = shortened(lines, 2000)
    assert len(said.encode()) <= 2000
    kept = said.splitlines()
    left_out = int(next(each for each in kept if "left out" in each).split()[1])
    assert (kept[0], kept[-1], left_out + len(kept) - 1) == (lines[0], lines[-1], 1000)


@both
def test_a_device_that_cannot_be_read_says_nothing(module: object, tmp_path: Path) -> None:
    assert module.read_messages(tmp_path / "none") == ""


@both
@pytest.mark.skipif(not os.access("/dev/kmsg", os.R_OK), reason="the kernel's messages are not ours to read")
def test_the_real_device(module: object) -> None:
    said = module.read_messages()
    assert len(said.encode()) <= module.LIMIT
    assert all(each.startswith(("[", "...")) for each in said.splitlines())
