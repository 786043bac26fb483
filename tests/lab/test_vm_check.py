"""``qrm lab --check`` as users run it: the main job without a person, and a report of what happened."""

import json
from pathlib import Path
from typing import Any

import pytest
from lab_processes import labs, of_lab, start_check

from appliance.lab.phases import NAMES

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(1300)]


@pytest.mark.parametrize(
    ("firmware", "nodes"),
    [("bios", 1), ("mixed", 2)],
    ids=["one-bios-machine", "both-firmwares"],
)
async def test_the_main_job_happens_and_is_reported(tmp_path: Path, firmware: str, nodes: int) -> None:
    report = tmp_path / "out.json"
    process = await start_check(tmp_path, "--nodes", str(nodes), "--firmware", firmware, "--json", str(report))
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()
    written = json.loads(report.read_text())
    assert written["ok"] is True
    assert len(written["machines"]) == nodes
    for machine in written["machines"]:
        _went_through_all_phases(machine)
    assert labs(tmp_path) == []
    assert of_lab(tmp_path) == []


def _went_through_all_phases(machine: dict[str, Any]) -> None:
    assert (machine["machine_state"], machine["deployment_state"], machine["failure"]) == ("idle", "released", None)
    seconds = [machine["phases"][name] for name in NAMES]
    assert seconds == sorted(seconds)
