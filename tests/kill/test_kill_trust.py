"""Agents with no, wrong, used and old tokens, and a machine that asks for what is another's."""

import itertools

import pytest
from kill_machine import PlayedMachine, argument_of
from kill_moments import writing
from kill_world import World

pytestmark = pytest.mark.root
MADE_UP = "ab" * 32
INVENTORY: dict[str, object] = {"disks": [], "nics": [], "cpu": {}, "memory": {}, "system": {}}


def redemption(machine: PlayedMachine, token: str, nonce: str, own: str = MADE_UP) -> dict[str, object]:
    """What an agent sends to trade its boot token."""
    return {"boot_token": token, "machine_token": own, "nonce": nonce, "mac": machine.mac, "macs": [machine.mac]}


def test_no_token_and_a_made_up_one_open_nothing(world: World) -> None:
    machine = world.idle_machine()
    calls = (
        ("GET", "work", None),
        ("POST", "inventory", INVENTORY),
        ("POST", "report", {"attempt": "a", "step": "grow", "status": "done"}),
        ("GET", "resident/wait?boot_id=1", None),
        ("POST", "resident/active", {"boot_id": "1"}),
    )
    for token, (method, path, body) in itertools.product(("", MADE_UP, "short"), calls):
        status, answer = machine.control(method, path, token, body)
        assert (status, answer["code"]) == (401, "session-unknown"), (method, path)
    assert machine.fetch("/images/1/content")[0] == 403
    assert machine.fetch("/images/1/content", {"Authorization": f"Bearer {MADE_UP}"})[0] == 403
    assert machine.fetch(f"/poll/{MADE_UP}")[0] == 404
    assert world.state(machine) == "idle"


def test_boot_tokens_that_are_wrong_are_refused(world: World) -> None:
    machine = world.idle_machine()
    status, answer = machine.control("POST", "redeem", body=redemption(machine, MADE_UP, "n"))
    assert (status, answer["code"]) == (403, "token-unknown")
    status, answer = machine.control("POST", "redeem", body=redemption(machine, machine.argument("token"), "other"))
    assert (status, answer["code"]) == (403, "token-unknown"), "the nonce of another boot"
    assert machine.control("GET", "work", machine.token)[0] == 204, "its own agent is as welcome as before"


def test_a_boot_token_that_is_used_twice_quarantines_the_machine(world: World) -> None:
    machine, thief = world.idle_machine(), world.idle_machine()
    name = world.deploy(machine)
    world.moment(machine, writing)
    world.daemon.thaw()
    stolen = redemption(thief, machine.argument("token"), machine.argument("nonce"))
    status, answer = thief.control("POST", "redeem", body=stolen)
    assert (status, answer["code"]) == (403, "token-used")
    world.reach(machine, "failed")
    code, reason = world.failure(machine)
    assert code == "token-used"
    assert "redeemed a second time, from 10.77.0." in reason
    assert world.user.get(f"/machines/{world.id_of(machine)}")["maintenance"]
    world.next_event(machine, "inventory.taken")  # its agent was refused, and booted anew
    world.user.patch(f"/machines/{world.id_of(machine)}", maintenance=False)
    world.user.act(name, "retry")
    world.reach(machine, "active")


def test_tokens_of_an_earlier_boot_are_worthless(world: World) -> None:
    machine = world.idle_machine()
    old = machine.token
    used = redemption(machine, machine.argument("token"), machine.argument("nonce"), own=old)
    machine.power_cycle()
    world.next_event(machine, "inventory.taken")
    assert machine.control("GET", "work", old)[1]["code"] == "session-unknown"
    status, answer = machine.control("POST", "redeem", body=used)
    assert (status, answer["code"]) == (403, "token-used")
    world.active(machine)
    assert machine.control("GET", "work", old)[0] == 401


def test_a_machine_cannot_speak_for_the_attempt_of_another(world: World) -> None:
    machine, other = world.idle_machine(), world.idle_machine()
    name = world.deploy(machine)
    attempt = world.moment(machine, writing)
    world.daemon.thaw()
    for status, code in (("done", "stale-step"), ("failed", "stale-step"), ("running", "stale-step")):
        said = {"attempt": attempt["id"], "step": "write-image", "status": status}
        answer = other.control("POST", "report", other.token, said)
        assert (answer[0], answer[1]["code"]) == (409, code)
    assert other.control("GET", "work", other.token)[0] == 204
    world.reach(machine, "active")
    assert world.user.get(f"/deployments/{name}")["attempt"]["status"] == "done"


def test_whoever_asks_with_the_address_of_another_gets_nothing_and_disturbs_nobody(world: World) -> None:
    """The attempt goes on; nothing of it gets out."""
    machine, thief = world.idle_machine(), world.idle_machine()
    world.deploy(machine)
    world.moment(machine, writing)
    world.daemon.thaw()
    status, script = thief.fetch(thief.script_path(mac=machine.mac.replace(":", "-"), uuid=machine.uuid))
    assert status == 200
    stolen = redemption(machine, argument_of(script, "token"), argument_of(script, "nonce"))
    status, answer = thief.control("POST", "redeem", body=stolen)
    assert (status, answer["code"]) == (403, "token-unproven")
    assert thief.control("GET", "work", MADE_UP)[0] == 401
    assert thief.fetch("/images/1/content", {"Authorization": f"Bearer {MADE_UP}"})[0] == 403
    world.reach(machine, "active")
    assert [attempt["status"] for attempt in world.attempts(machine)] == ["done"]
    assert len(world.events(machine, "machine.conflict")) == 1


def test_a_resident_is_nobody_after_the_release(world: World) -> None:
    machine = world.idle_machine()
    name = world.active(machine)
    settings = machine.disk.text("/etc/qrm/resident.json")
    world.user.act(name, "release")
    world.reach(machine, "idle")
    token = settings.partition('"token": "')[2].partition('"')[0]
    status, answer = machine.control("POST", "resident/active", token, {"boot_id": "1"})
    assert (status, answer["code"]) == (401, "session-unknown")
    assert world.state(machine) == "idle"
