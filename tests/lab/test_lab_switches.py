"""``qrm lab switches``: every machine of the lab gets its switch once, and no other appliance the lab's password."""

from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ApplianceError
from appliance.lab.card import write_plan
from appliance.lab.directory import LabDirectory
from appliance.lab.plan import LabPlan, plan_machines
from appliance.lab.switches import give

PLAN = LabPlan(plan_machines(2))
KNOWN = [
    {"id": f"id{number}", "name": f"node-{number}", "macs": [plan.nics[0].mac]}
    for number, plan in enumerate(PLAN.machines, 1)
]


class Appliance:
    """What its API says of switches, and what it was sent."""

    def __init__(self, fingerprint: str = "f1") -> None:
        self.fingerprint, self.trouble = fingerprint, ""
        self.sent: list[dict[str, Any]] = []
        self.switches: dict[str, dict[str, Any]] = {}

    def get(self, path: str, **_: Any) -> Any:
        if path == "/settings":
            return {"fingerprint": self.fingerprint}
        if path not in self.switches:
            raise ApplianceError("power-none", "it has no power switch")
        shown = {name: value for name, value in self.switches[path].items() if name != "secret"}
        return {**shown, "privilege": "", "secret_set": True, "power": {"trouble": self.trouble}}

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        assert method == "PUT"
        assert body is not None
        self.sent.append(body)
        self.switches[path] = body


@pytest.fixture
def directory(tmp_path: Path) -> LabDirectory:
    made = LabDirectory(tmp_path)
    made.daemon_state.mkdir()
    (made.daemon_state / "ca-fingerprint").write_text("f1\n")
    write_plan(made, PLAN)
    return made


def test_each_machine_gets_its_own_switch_and_keeps_it(directory: LabDirectory) -> None:
    appliance = Appliance()
    assert list(give(appliance, directory, KNOWN)) == [
        "node1 is node-1, and has its switch now",
        "node2 is node-2, and has its switch now",
    ]
    assert [body["system"] for body in appliance.sent] == ["node1", "node2"]
    assert {body["secret"] for body in appliance.sent} == {directory.controller_password.read_text().strip()}
    assert "has its switch already" in " ".join(give(appliance, directory, KNOWN))
    assert len(appliance.sent) == 2


def test_one_that_does_not_answer_is_set_up_anew(directory: LabDirectory) -> None:
    appliance = Appliance()
    list(give(appliance, directory, KNOWN))
    appliance.trouble = "the controller does not answer"
    list(give(appliance, directory, KNOWN))
    assert len(appliance.sent) == 4


def test_who_has_not_booted_yet_is_named(directory: LabDirectory) -> None:
    assert list(give(Appliance(), directory, KNOWN[:1]))[1].startswith("node2 is not known yet")
    with pytest.raises(ApplianceError) as caught:
        list(give(Appliance(), directory, []))
    assert caught.value.code == "lab-no-machine"


def test_another_appliance_is_told_nothing(directory: LabDirectory) -> None:
    elsewhere = Appliance("f2")
    with pytest.raises(ApplianceError) as caught:
        list(give(elsewhere, directory, KNOWN))
    assert (caught.value.code, elsewhere.sent) == ("lab-elsewhere", [])
    assert "qrm --server URL lab switches" in caught.value.hint
