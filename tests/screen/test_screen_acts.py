"""What the screen asks of the computer: through the helper, and in its place where it is gone."""

import pytest
from screen_acting import Helper, Person

from appliance.errors import ApplianceError
from appliance.privileged.client import missing
from appliance.privileged.verbs import network
from appliance.privileged.verbs.journal import LastLines
from appliance.privileged.verbs.power import PowerOff, Reboot
from appliance.privileged.verbs.reset import Factory
from appliance.privileged.verbs.services import Restart as RestartUnit
from appliance.screen import act, orders
from appliance.screen.act import ACTS
from appliance.screen.orders import Failed, Finished, Order


def test_every_order_has_somebody_who_carries_it_out():
    every = {each for each in vars(orders).values() if isinstance(each, type) and issubclass(each, Order)}
    assert set(ACTS) == every - {Order, orders.Repaint, orders.Cancel}, "the last two are for the screen itself"


@pytest.mark.parametrize(
    ("order", "verb"),
    [
        (orders.MakeLink(), RestartUnit("appliance.service")),
        (orders.Restart(), Reboot()),
        (orders.SwitchOff(), PowerOff()),
        (orders.FactoryReset(), Factory()),
        (orders.KeepNetwork(), network.Confirm()),
        (orders.RevertNetwork(), network.Revert()),
    ],
)
async def test_what_changes_the_system_is_a_verb(tmp_path, order, verb):
    person = Person(tmp_path)
    assert isinstance(await person.orders(order), Finished)
    assert person.acting.helper.asked == [verb]


async def test_logs_are_read_by_the_helper(tmp_path):
    person = Person(tmp_path, Helper(Lines=LastLines(["one", "two"])))
    assert await person.orders(orders.ReadLog("chrony.service")) == orders.LogRead("clock", ("one", "two"))


@pytest.mark.parametrize("error", [missing(), ApplianceError("helper-down", "it does not run", "look")])
async def test_without_a_helper_the_same_verb_is_carried_out_here(tmp_path, monkeypatch, error):
    monkeypatch.setattr(act, "running_as_root", lambda: True)
    person = Person(tmp_path, Helper(Reboot=error))
    assert isinstance(await person.orders(orders.Restart()), Finished)
    assert person.ran == [["systemctl", "--no-block", "reboot"]]


@pytest.mark.parametrize(("appliance", "root"), [(False, True), (True, False)])
async def test_a_computer_that_was_not_flashed_is_left_alone(tmp_path, monkeypatch, appliance, root):
    monkeypatch.setattr(act, "running_as_root", lambda: root)
    person = Person(tmp_path, Helper(Reboot=missing()), appliance=appliance)
    failed = await person.orders(orders.Restart())
    assert isinstance(failed, Failed)
    assert "no privileged helper" in failed.message
    assert person.ran == []


async def test_a_helper_that_dies_in_the_middle_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(act, "running_as_root", lambda: True)
    person = Person(tmp_path, Helper(Reboot=ApplianceError("helper-gone", "it ended in the middle", "look")))
    assert await person.orders(orders.Restart()) == Failed("it ended in the middle", "look")
    assert person.ran == []


async def test_a_defect_is_told_and_the_screen_goes_on(tmp_path):
    failed = await Person(tmp_path, Helper(Reboot=KeyError("x"))).orders(orders.Restart())
    assert "KeyError" in failed.message
