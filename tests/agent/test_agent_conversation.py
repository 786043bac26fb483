"""What agent and appliance say to each other before there is work. The real agent, as a process."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from agent_bench import Bench
from fake_appliance import Call, FakeAppliance

from appliance.agent import trust
from appliance.agent.control import Control
from appliance.agent.errors import AgentError

BAD_TOKENS = [
    ("token-unknown", "this boot token is unknown"),
    ("token-used", "this boot token was used before"),
    ("token-expired", "this boot token is older than ten minutes"),
]


NEIGHBOURS = "POST /control/v1/neighbours"
"""Comes when it comes, after the inventory: nothing waits for it."""


def refusal(status: int, code: str, message: str = "no"):
    return lambda call: (status, {"code": code, "message": message, "hint": "boot again"})


def test_idle_machine(appliance: FakeAppliance, bench: Bench) -> None:
    """Certificate, time, redemption, inventory, work, poll; in this order, and the token where it belongs."""
    with bench.running(appliance.command_line()):
        appliance.wait_for(lambda: {"GET /poll/p1", NEIGHBOURS} <= set(appliance.paths()))
    calls = [call for call in appliance.calls if not call.path.endswith("/neighbours")]
    assert [f"{call.method} {call.path}" for call in calls[:6]] == [
        "GET /ca.pem",
        "GET /time",
        "POST /control/v1/redeem",
        "POST /control/v1/inventory",
        "GET /control/v1/work",
        "GET /poll/p1",
    ]
    redeem, inventory, work = calls[2:5]
    assert "Authorization" not in redeem.headers
    assert len(redeem.body["machine_token"]) == 64
    assert redeem.body["boot_token"] == "boot-token"
    assert redeem.body["nonce"] == "nonce-1"
    assert redeem.body["mac"] == "52:54:00:00:00:01"
    assert {call.headers["Authorization"] for call in (inventory, work)} == {f"Bearer {redeem.body['machine_token']}"}
    assert "node-1" in bench.screen
    assert "waiting for work" in bench.screen


def test_the_calls_of_a_boot_share_one_connection(appliance: FakeAppliance, bench: Bench) -> None:
    with bench.running(appliance.command_line()):
        appliance.wait_for(lambda: "GET /poll/p1" in appliance.paths())
    ports = {call.port for call in appliance.calls if call.path.endswith(("redeem", "inventory", "work"))}
    assert len(ports) == 1, "each other one costs the appliance a TLS handshake, a thousand times when a hall comes up"


def test_a_connection_that_the_appliance_let_go_of_is_no_trouble(appliance: FakeAppliance) -> None:
    troubles: list[AgentError] = []
    context = trust.context(appliance.certificates.ca_pem)
    with closing(Control(appliance.control, context, lambda _: None, troubles.append)) as control:
        appliance.hangs_up = True
        statuses = [control.call("GET", "work").status for _ in range(3)]
    assert (statuses, appliance.handshakes) == ([204] * 3, 3)
    assert not troubles


def test_the_clock_is_set_before_any_tls(appliance: FakeAppliance, bench: Bench) -> None:
    seen: list[int] = []

    def tell_time(call: Call) -> tuple[int, object]:
        seen.append(appliance.handshakes)
        return 200, {"now": 1763654400.5}

    def redeem(call: Call) -> tuple[int, object]:
        seen.append(len(bench.actions))
        return 200, {"machine": "m1", "name": "node-1", "poll": "p1"}

    appliance.answers["GET", "/time"] = tell_time
    appliance.answers["POST", "/control/v1/redeem"] = redeem
    with bench.running(appliance.command_line()):
        appliance.wait_for(lambda: "GET /poll/p1" in appliance.paths())
    assert bench.actions[0] == {"action": "set-clock", "now": 1763654400.5}
    assert seen == [0, 1], "no TLS before the time came; the clock was set when the first call came in"


def test_another_certificate_authority_is_never_talked_to(
    appliance: FakeAppliance, bench: Bench, tmp_path: Path
) -> None:
    with bench.running(appliance.command_line(ca="ab" * 32)):
        appliance.wait_for(lambda: appliance.paths().count("GET /ca.pem") >= 2)  # it tries again
    assert set(appliance.paths()) == {"GET /ca.pem"}
    assert appliance.handshakes == 0
    assert "another computer answers in the appliance's name" in bench.screen


def test_the_right_authority_but_a_certificate_of_another(
    appliance: FakeAppliance, bench: Bench, tmp_path: Path
) -> None:
    """Somebody relays our /ca.pem, but cannot prove to be us."""
    (tmp_path / "other").mkdir()
    other = FakeAppliance(tmp_path / "other")
    try:
        with bench.running(appliance.command_line(control=other.control)):
            _until_on_screen(appliance, bench, "certificate is not good")
        assert other.calls == []
    finally:
        other.close()


def _screen(bench: Bench) -> str:
    path = bench.directory / "screen"
    return path.read_text() if path.exists() else ""


def _until_on_screen(appliance: FakeAppliance, bench: Bench, words: str) -> None:
    deadline = time.monotonic() + 20
    while words not in _screen(bench):
        assert time.monotonic() < deadline, _screen(bench)
        time.sleep(0.02)


def test_a_certificate_for_another_address(appliance: FakeAppliance, bench: Bench) -> None:
    control = appliance.control.replace("127.0.0.1", "127.0.0.2")
    with bench.running(appliance.command_line(control=control)):
        _until_on_screen(appliance, bench, "problem")
    assert "POST /control/v1/redeem" not in appliance.paths()


@pytest.mark.parametrize(("code", "message"), BAD_TOKENS)
def test_a_bad_boot_token_is_shown_and_ends_in_a_fresh_boot(
    appliance: FakeAppliance, bench: Bench, code: str, message: str
) -> None:
    appliance.answers["POST", "/control/v1/redeem"] = refusal(403, code, message)
    with bench.running(appliance.command_line()) as agent:
        assert agent.wait(20) == 0
    tokens = {call.body["machine_token"] for call in appliance.calls if call.path.endswith("redeem")}
    assert len(tokens) == 1, "a second token would look like a thief's"
    assert appliance.paths().count("POST /control/v1/redeem") == 3
    assert bench.actions[-1] == {"action": "reboot"}
    assert message in bench.screen
    assert "restarting after 2 more tries" in bench.screen


def test_a_forgotten_session_ends_in_a_fresh_boot(appliance: FakeAppliance, bench: Bench) -> None:
    appliance.answers["GET", "/control/v1/work"] = refusal(401, "session-unknown", "who are you?")
    with bench.running(appliance.command_line()) as agent:
        assert agent.wait(20) == 0
    assert bench.actions[-1] == {"action": "reboot"}
    assert "who are you?" in bench.screen


def test_a_lost_answer_to_the_token_is_asked_for_again_with_the_same_one(
    appliance: FakeAppliance, bench: Bench
) -> None:
    def busy_twice(call: Call) -> tuple[int, object]:
        if appliance.paths().count("POST /control/v1/redeem") < 3:
            return 503, {"code": "busy", "message": "starting", "hint": ""}
        return 200, {"machine": "m1", "name": "node-1", "poll": "p1"}

    appliance.answers["POST", "/control/v1/redeem"] = busy_twice
    with bench.running(appliance.command_line()):
        appliance.wait_for(lambda: "GET /poll/p1" in appliance.paths())
    tokens = [call.body["machine_token"] for call in appliance.calls if call.path.endswith("redeem")]
    assert len(tokens) == 3
    assert len(set(tokens)) == 1


def test_a_respawned_agent_keeps_its_session(appliance: FakeAppliance, bench: Bench) -> None:
    for _ in range(2):
        appliance.calls.clear()
        with bench.running(appliance.command_line()):
            appliance.wait_for(lambda: "GET /poll/p1" in appliance.paths())
    assert "POST /control/v1/redeem" not in appliance.paths()
    assert (bench.directory / "run/session.json").stat().st_mode & 0o777 == 0o600


def test_another_boot_opens_another_session(appliance: FakeAppliance, bench: Bench) -> None:
    for nonce in ("nonce-1", "nonce-2"):
        appliance.calls.clear()
        with bench.running(appliance.command_line(nonce=nonce)):
            appliance.wait_for(lambda: "GET /poll/p1" in appliance.paths())
    assert "POST /control/v1/redeem" in appliance.paths()


def test_an_unknown_poll_id_makes_the_agent_ask_the_control_side(appliance: FakeAppliance, bench: Bench) -> None:
    appliance.answers["GET", "/poll/p1"] = lambda call: (404, b"unknown")
    with bench.running(appliance.command_line()):
        appliance.wait_for(lambda: appliance.paths().count("GET /control/v1/work") >= 3)


def test_a_machine_that_is_called_does_its_work_and_goes(appliance: FakeAppliance, bench: Bench) -> None:
    with bench.running(appliance.command_line()) as agent:
        appliance.wait_for(lambda: "GET /poll/p1" in appliance.paths())
        appliance.work = [{"attempt": "a9", "kind": "start", "step": "hand-over", "params": {"method": "reboot"}}]
        said = appliance.report_of("hand-over")
        assert agent.wait(20) == 0
    assert said["attempt"] == "a9"
    assert said["status"] == "done"
    assert bench.actions[-1] == {"action": "reboot"}


def test_an_unknown_step_fails_with_a_reason(appliance: FakeAppliance, bench: Bench) -> None:
    appliance.work = [{"attempt": "a1", "kind": "deploy", "step": "make-coffee", "params": {}}]
    with bench.running(appliance.command_line()):
        said = appliance.report_of("make-coffee")
    assert said["status"] == "failed"
    assert said["code"] == "step-unknown"


def test_a_stale_step_is_left(appliance: FakeAppliance, bench: Bench) -> None:
    """The reboot is not done: the first word about it was answered with 409."""
    appliance.stale = {"hand-over"}
    appliance.work = [{"attempt": "old", "kind": "start", "step": "hand-over", "params": {"method": "reboot"}}]
    with bench.running(appliance.command_line()):
        appliance.wait_for(lambda: len(appliance.reports) >= 2)
    assert {said["status"] for said in appliance.reports} == {"running"}
    assert [action["action"] for action in bench.actions] == ["set-clock"]


@pytest.mark.parametrize("answer", [b"not JSON", b'["a", "list"]', json.dumps({"machine": "m1"}).encode()])
def test_nonsense_from_the_control_side_is_shown_and_tried_again(
    appliance: FakeAppliance, bench: Bench, answer: bytes
) -> None:
    appliance.answers["POST", "/control/v1/redeem"] = lambda call: (200, answer)
    with bench.running(appliance.command_line()):
        appliance.wait_for(lambda: appliance.paths().count("POST /control/v1/redeem") >= 2)
    assert "problem" in bench.screen


def test_an_incomplete_command_line_says_what_is_missing(appliance: FakeAppliance, bench: Bench) -> None:
    with bench.running("quiet root=/dev/sda1"):
        _until_on_screen(appliance, bench, "no qrm.server=")
    assert appliance.calls == []


def test_neighbours_are_told_once_a_boot_and_after_the_inventory(appliance: FakeAppliance, bench: Bench) -> None:
    bench.settings["neighbours"] = [{"nic": "eth0", "chassis": "c", "port": "p"}]
    bench.write()
    for _ in range(2):  # an agent that is started again in the same boot
        polls = appliance.paths().count("GET /poll/p1")
        with bench.running(appliance.command_line()):
            appliance.wait_for(lambda seen=polls: appliance.paths().count("GET /poll/p1") > seen)
            appliance.wait_for(lambda: NEIGHBOURS in appliance.paths())
    assert appliance.paths().count(NEIGHBOURS) == 1
    assert appliance.paths().index(NEIGHBOURS) > appliance.paths().index("POST /control/v1/inventory")
    (told,) = [call for call in appliance.calls if call.path.endswith("/neighbours")]
    assert told.body == {"neighbours": [{"nic": "eth0", "chassis": "c", "port": "p"}]}
