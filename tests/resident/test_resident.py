"""The resident against an appliance that follows a script."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_appliance import Call, FakeAppliance

from appliance.resident import system
from appliance.resident.client import Client
from appliance.resident.main import REFUSED_PAUSE, Resident
from appliance.resident.settings import BadSettings, load

REPOSITORY = Path(__file__).parents[2]
PREFIX = "/control/v1/resident"


class Ended(Exception):
    """The test has seen enough."""


class Deployed:
    """A deployed system whose shutdown and pauses are written down."""

    def __init__(self, directory: Path, appliance: FakeAppliance) -> None:
        self.directory = directory / "etc-qrm"
        self.directory.mkdir()
        self.ssh = directory / "etc-ssh"
        self.ssh.mkdir()
        settings = {"server": appliance.server, "control": appliance.control, "token": "secret", "machine": "m1"}
        (self.directory / "resident.json").write_text(json.dumps({**settings, "deployment": "web-1"}))
        (self.directory / "ca.pem").write_text(appliance.certificates.ca_pem)
        (self.ssh / "ssh_host_ed25519_key.pub").write_text("ssh-ed25519 AAAA root@web-1\n")
        (self.ssh / "ssh_host_rsa_key.pub").write_text("\n")
        self.pauses: list[float] = []
        self.done: list[str] = []
        self.shutdown_error = ""
        self.messages = ""
        self.enough: Callable[[], bool] = lambda: False

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.enough() or len(self.pauses) > 50:
            raise Ended

    def shut_down(self, action: str) -> str:
        self.done.append(action)
        return self.shutdown_error

    def run(self) -> None:
        Resident(Client(load(self.directory)), self.pause, self.shut_down, self.ssh, lambda: self.messages).run()


@pytest.fixture
def deployed(tmp_path: Path, appliance: FakeAppliance) -> Deployed:
    appliance.answers["POST", f"{PREFIX}/active"] = lambda call: (200, {})
    appliance.answers["POST", f"{PREFIX}/report"] = lambda call: (200, {})
    return Deployed(tmp_path, appliance)


def commands(appliance: FakeAppliance, *wishes: str) -> None:
    left = list(wishes)

    def wait(call: Call) -> tuple[int, object]:
        return 200, {"command": left.pop(0) if left else "none", "attempt": "a1"}

    appliance.answers["GET", f"{PREFIX}/wait"] = wait


def test_reports_active_and_obeys(appliance: FakeAppliance, deployed: Deployed) -> None:
    commands(appliance, "none", "none", "reboot")
    deployed.run()
    active, *waits, report = appliance.calls
    assert active.path == f"{PREFIX}/active"
    assert active.headers["Authorization"] == "Bearer secret"
    assert active.body["boot_id"] == system.boot_id()
    assert active.body["hostname"]
    assert active.body["host_keys"] == ["ssh-ed25519 AAAA"]
    assert active.body["addresses"] == ["127.0.0.1"]
    assert [call.path for call in waits] == [f"{PREFIX}/wait?boot_id={system.boot_id()}"] * 3
    assert report.body == {"attempt": "a1", "status": "done", "message": "reboot follows"}
    assert deployed.done == ["reboot"]


def test_reports_before_it_obeys(appliance: FakeAppliance, deployed: Deployed) -> None:
    seen: list[list[str]] = []

    def report(call: Call) -> tuple[int, object]:
        seen.append(list(deployed.done))
        return 200, {}

    appliance.answers["POST", f"{PREFIX}/report"] = report
    commands(appliance, "poweroff")
    deployed.run()
    assert seen == [[]]
    assert deployed.done == ["poweroff"]


def test_a_refused_report_stops_nothing(appliance: FakeAppliance, deployed: Deployed) -> None:
    """The attempt is over: the system goes on running."""
    appliance.answers["POST", f"{PREFIX}/report"] = lambda call: (409, {"code": "stale-step", "message": "over"})
    commands(appliance, "reboot")
    deployed.enough = lambda: True
    with pytest.raises(Ended):
        deployed.run()
    assert deployed.done == []
    assert deployed.pauses == [REFUSED_PAUSE]


def test_waits_for_an_appliance_that_is_away(
    appliance: FakeAppliance, deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    tries: list[int] = []

    def active(call: Call) -> tuple[int, object]:
        tries.append(1)
        return (503, b"") if len(tries) < 4 else (200, {})

    appliance.answers["POST", f"{PREFIX}/active"] = active
    commands(appliance, "reboot")
    deployed.run()
    assert deployed.pauses == [1, 2, 4]
    assert "does not answer" in capsys.readouterr().out


def test_tells_again_that_it_is_active_after_an_interruption(appliance: FakeAppliance, deployed: Deployed) -> None:
    answers: list[tuple[int, object]] = [(200, {"command": "none"}), (502, b""), (200, {"command": "reboot"})]
    appliance.answers["GET", f"{PREFIX}/wait"] = lambda call: answers.pop(0)
    deployed.run()
    assert appliance.paths().count(f"POST {PREFIX}/active") == 2


def test_asks_rarely_after_a_refusal(
    appliance: FakeAppliance, deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = {"code": "session-unknown", "message": "this deployment is gone", "hint": ""}
    appliance.answers["POST", f"{PREFIX}/active"] = lambda call: (401, refusal)
    deployed.enough = lambda: len(deployed.pauses) == 2
    with pytest.raises(Ended):
        deployed.run()
    assert deployed.pauses == [REFUSED_PAUSE] * 2
    assert "this deployment is gone" in capsys.readouterr().out


def test_a_shutdown_that_fails_is_reported(appliance: FakeAppliance, deployed: Deployed) -> None:
    deployed.shutdown_error = "systemctl: no bus"
    deployed.enough = lambda: True
    commands(appliance, "reboot")
    with pytest.raises(Ended):
        deployed.run()
    assert appliance.calls[-1].body == {"attempt": "a1", "status": "failed", "message": "systemctl: no bus"}


def test_an_unknown_command_is_refused_and_not_run(appliance: FakeAppliance, deployed: Deployed) -> None:
    deployed.enough = lambda: True
    commands(appliance, "rm -rf /")
    with pytest.raises(Ended):
        deployed.run()
    assert deployed.done == []
    assert appliance.calls[-1].body["status"] == "failed"


def test_another_certificate_authority_is_not_talked_to(
    appliance: FakeAppliance, deployed: Deployed, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = FakeAppliance(tmp_path / "other")
    other.close()
    (deployed.directory / "ca.pem").write_text(other.certificates.ca_pem)
    deployed.enough = lambda: True
    with pytest.raises(Ended):
        deployed.run()
    assert appliance.calls == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"control": "http://x", "token": "t"}', '{"control": "https://x", "token": ""}']
)
def test_bad_settings(deployed: Deployed, text: str) -> None:
    (deployed.directory / "resident.json").write_text(text)
    with pytest.raises(BadSettings, match=r"resident\.json"):
        load(deployed.directory)


def test_missing_settings_end_the_program_with_a_reason(tmp_path: Path) -> None:
    """Started as in a deployed system: as a directory, which is no package there."""
    program = tmp_path / "lib/resident"
    program.mkdir(parents=True)
    for file in (REPOSITORY / "appliance/resident").glob("*.py"):
        (program / file.name).write_bytes(file.read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "none/resident.json: No such file" in done.stdout


def test_shutting_down_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(argv: list[str]) -> str:
        ran.append(argv)
        return "" if argv == ["reboot"] else "no bus"

    monkeypatch.setattr(system, "_run", run)
    assert system.shut_down("reboot") == ""
    assert ran == [["systemctl", "reboot"], ["reboot"]]


def test_the_unit_is_well_formed(tmp_path: Path) -> None:
    unit = (REPOSITORY / "appliance/resident/qrm-resident.service").read_text()
    for line in ("Type=simple", "Restart=always", "After=network.target", "WantedBy=multi-user.target"):
        assert line in unit.splitlines()
    assert "ExecStart=/usr/bin/python3 /usr/lib/qrm/resident" in unit


def told(appliance: FakeAppliance) -> list[object]:
    return [call.body for call in appliance.calls if call.path.endswith("/boot-messages")]


def test_what_the_kernel_said_goes_once_after_the_first_announcement(
    appliance: FakeAppliance, deployed: Deployed
) -> None:
    appliance.answers["POST", f"{PREFIX}/boot-messages"] = lambda call: (200, {})
    appliance.answers["GET", f"{PREFIX}/wait"] = lambda call: (503, {})
    deployed.messages = "Linux version\n"
    deployed.enough = lambda: len([call for call in appliance.calls if call.path.endswith("/active")]) > 2
    with pytest.raises(Ended):
        deployed.run()
    assert told(appliance) == [{"boot_id": system.boot_id(), "text": "Linux version\n"}]
    assert [call.path for call in appliance.calls][:2] == [f"{PREFIX}/active", f"{PREFIX}/boot-messages"]


@pytest.mark.parametrize(("status", "times"), [(404, 1), (413, 1), (503, 3)])
def test_messages_that_are_not_taken_hold_nothing_up(
    appliance: FakeAppliance, deployed: Deployed, status: int, times: int
) -> None:
    """Refused, they are not sent again; else they go with the next announcement."""
    appliance.answers["POST", f"{PREFIX}/boot-messages"] = lambda call: (status, {})
    appliance.answers["GET", f"{PREFIX}/wait"] = lambda call: (503, {})
    deployed.messages = "Linux version\n"
    deployed.enough = lambda: len([call for call in appliance.calls if "/wait?" in call.path]) > 2
    with pytest.raises(Ended):
        deployed.run()
    assert len(told(appliance)) == times
