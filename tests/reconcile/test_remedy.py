"""What a switch does for an attempt: as ``advice`` tells a person, and never where a restart would cost something."""

from dataclasses import replace

import pytest
from test_advice import FIRST, NOW, STEPS, attempt

from appliance.deployment import Deployment, DiskIdentity, Installed
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.netboot.policy import decide
from appliance.power_order import OrderId, PowerAction, PowerOrder
from appliance.power_switch import Ability, PowerKind, PowerState, abilities
from appliance.reconcile.remedy import BOOT_SECONDS, SHUT_DOWN_SECONDS, Power, Remedy, remedy
from appliance.workflow import BUSY_STATE, DeploymentId, Kind, deadline, failed

ABLE = abilities(PowerKind.IPMI)
OFF, ON, UNKNOWN = (Power(ABLE, state) for state in (PowerState.OFF, PowerState.ON, PowerState.UNKNOWN))


def order(action, made, ended=NOW + 60):
    return PowerOrder(
        OrderId(1), made.machine, action, NOW, NOW, attempt=made.id, step=made.step.name, ended=ended, index=2
    )


@pytest.mark.parametrize(("kind", "runs", "wipe"), FIRST)
def test_what_is_off_is_switched_on_at_once(kind, runs, wipe):
    assert remedy(attempt(kind, runs, wipe), OFF, True, ()) == Remedy(PowerAction.ON, NOW)


@pytest.mark.parametrize(("kind", "runs", "wipe"), FIRST)
def test_what_is_on_has_time_and_is_then_switched_off_and_on(kind, runs, wipe):
    patience = SHUT_DOWN_SECONDS if runs else BOOT_SECONDS
    assert remedy(attempt(kind, runs, wipe), ON, True, ()) == Remedy(PowerAction.CYCLE, NOW + patience)


@pytest.mark.parametrize(("kind", "runs", "wipe", "step"), STEPS)
def test_it_helps_before_the_attempt_gives_up(kind, runs, wipe, step):
    live = attempt(kind, runs, wipe, at=step)
    found = remedy(live, ON, True, ())
    assert found is None or found.at < deadline(live)


@pytest.mark.parametrize(("kind", "runs", "wipe", "step"), STEPS)
@pytest.mark.parametrize("obeyed", [False, True])
@pytest.mark.parametrize("power", [OFF, ON])
def test_it_never_ends_the_attempt(kind, runs, wipe, step, obeyed, power):
    """The boot decision is asked what the start would lead to."""
    live = attempt(kind, runs, wipe, at=step)
    live = replace(live, obeyed=obeyed, armed=live.armed and not obeyed)
    if remedy(live, power, True, ()) is None:
        return
    disk = DiskIdentity("S", None, 1)
    node = Machine(MachineId("m"), "node-1", BUSY_STATE[kind], (parse_mac("52:54:00:00:00:01"),), 0.0)
    web = Deployment(DeploymentId(1), "web", 1, 0.0, machine=node.id, disk=disk, installed=Installed(1, disk, "e", "r"))
    decision = decide(node, live, web, NOW + 1)
    assert decision.machine is None or decision.machine.state is not State.FAILED


def test_an_agent_at_work_is_left_alone():
    for step in ("write-image", "grow", "configure"):
        live = replace(attempt(Kind.DEPLOY, at=step), obeyed=True)
        assert remedy(live, ON, True, ()) is None
        assert remedy(live, OFF, True, ()) is None


def test_a_system_that_starts_is_left_to_check_its_disks():
    assert remedy(attempt(Kind.START, at="report-active"), ON, True, ()) is None
    written = attempt(Kind.DEPLOY, at="report-active")
    assert remedy(written, ON, True, ()) is None, "firmware starts it, which may take its time"
    jumped = replace(written, results={**written.results, "hand-over": {"method": "kexec"}})
    assert remedy(jumped, ON, True, ()) == Remedy(PowerAction.CYCLE, NOW + BOOT_SECONDS)


def test_what_a_user_switched_off_meanwhile_stays_off():
    live = attempt(Kind.DEPLOY)
    assert remedy(live, replace(OFF, held_off=NOW + 1), True, ()) is None
    assert remedy(live, replace(OFF, held_off=NOW - 1), True, ()) is not None, "the deploy was asked for later"


def test_what_does_not_help_is_not_done_for_ever():
    live = attempt(Kind.DEPLOY)
    starts = [order(PowerAction.ON, live)]
    assert remedy(live, OFF, True, starts) == Remedy(PowerAction.ON, NOW + 60 + 180)
    assert remedy(live, OFF, True, starts * 3) is None
    assert remedy(live, ON, True, [order(PowerAction.CYCLE, live)]) is None
    later = attempt(Kind.STOP, True, at="return")
    assert remedy(later, ON, True, [replace(order(PowerAction.CYCLE, later), step="shut-down")]) is not None


def test_a_switch_that_cannot_look_only_switches_on_what_is_silent():
    blind = Power(abilities(PowerKind.WAKE_ON_LAN))
    assert remedy(attempt(Kind.DEPLOY), blind, True, ()) == Remedy(PowerAction.ON, NOW)
    assert remedy(attempt(Kind.DEPLOY), blind, False, ()) is None
    assert remedy(attempt(Kind.DEPLOY), Power(frozenset()), True, ()) is None


def test_nothing_is_known_of_a_switch_that_does_not_answer():
    assert remedy(attempt(Kind.STOP, True), UNKNOWN, False, ()) is None
    assert remedy(attempt(Kind.DEPLOY), Power(frozenset({Ability.ON}), PowerState.ON), True, ()) is None


def test_what_has_ended_needs_nothing():
    assert remedy(failed(attempt(Kind.DEPLOY), "x", "y", NOW), OFF, True, ()) is None
