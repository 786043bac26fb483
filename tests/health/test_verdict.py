"""From facts to sentences: what is well, what is not, and what to do about it."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_struct

from appliance.health.facts import Certificate, Facts, Room
from appliance.health.verdict import DAY, PARTS, Level, named, verdicts, worst
from appliance.networking.served import Aside
from appliance.privileged.verbs.disks import DiskState, Smart
from appliance.privileged.verbs.hardware import Clock, Hardware, Memory, Temperature
from appliance.privileged.verbs.services import UnitState
from appliance.privileged.verbs.update import SlotsState
from appliance.updates.record import Record, Stage, Update
from appliance.updates.slots import Slot

NOW = 1_795_200_000.0
DISK = DiskState("sda", "WDC WD40", "WD-1234", "0x5", 4_000_787_030_016, "sata", True, False, ["sda1: ext4"], True)
GOOD_DISK = Smart(available=True, passed=True, temperature=34, hours=100)
HARDWARE = Hardware(
    Memory(16 << 30, 8 << 30, 0, 0), [Temperature("cpu", 45.0, 100.0)], Clock(True, "192.0.2.1", 0.00012)
)
SLOT = Slot("rootfs.0", "A", True, True, True, "1.2", "2026-11-20")
OTHER = Slot("rootfs.1", "B", False, False, False, "", "")
UNIT = UnitState("chrony.service", "clock", True, "active", "running", "success", "", 0)
WELL = Facts(
    now=NOW,
    flashed=True,
    slots=SlotsState([SLOT, OTHER], Record(), False),
    disks=((DISK, GOOD_DISK),),
    units=(UNIT,),
    hardware=HARDWARE,
    certificate=Certificate(None),
    room=Room(100_000_000_000, 60_000_000_000),
)


def told(facts, part):
    return [each for each in verdicts(facts) if each.part == part]


def only(facts, part, level):
    """The findings of this level about a part, of which there has to be one."""
    (found,) = [each for each in told(facts, part) if each.level is level]
    return found


def test_where_all_is_well_each_part_says_so():
    found = verdicts(WELL)
    assert {each.part for each in found} == set(PARTS)
    assert {each.level for each in found} == {Level.GOOD}
    assert all(each.text.endswith(".") and each.advice == "" for each in found)
    assert worst(found) is Level.GOOD


def test_what_is_wrong_says_what_to_do():
    facts = replace(WELL, trouble="the disk has not answered", certificate=Certificate(NOW - 1))
    for each in verdicts(facts):
        assert bool(each.advice) == (each.level in (Level.WARNING, Level.BAD)), each
    assert worst(verdicts(facts)) is Level.BAD


@pytest.mark.parametrize(
    ("free", "level"), [(21, Level.GOOD), (20, Level.WARNING), (11, Level.WARNING), (10, Level.BAD), (0, Level.BAD)]
)
def test_room_for_the_state(free, level):
    finding = only(replace(WELL, room=Room(100, free)), "state", level)
    assert f"{100 - free}%" in finding.text


@pytest.mark.parametrize(
    ("smart", "level", "says"),
    [
        ({"passed": False}, Level.BAD, "says that it is failing"),
        ({"pending": 1}, Level.BAD, "1 place that cannot be read"),
        ({"uncorrectable": 2, "pending": 1}, Level.BAD, "3 places that cannot be read"),
        ({"spare": 8, "spare_threshold": 10}, Level.BAD, "8 % of its spare blocks"),
        ({"used": 80}, Level.WARNING, "80 % of the writes"),
        ({"used": 104}, Level.BAD, "104 % of the writes"),
        ({"reallocated": 3}, Level.WARNING, "3 sectors"),
        ({"temperature": 60}, Level.WARNING, "60 °C"),
    ],
)
def test_a_disk_that_complains(smart, level, says):
    facts = replace(WELL, disks=((DISK, Smart(**{"available": True, "passed": True, **smart})),))
    finding = only(facts, "disks", level)
    assert says in finding.text
    assert named(DISK) in finding.text
    assert "serial WD-1234, 4.0 TB" in finding.text


def test_a_disk_that_says_nothing_is_not_called_well():
    for silent in (None, Smart(available=False)):
        assert only(replace(WELL, disks=((DISK, silent),)), "disks", Level.UNKNOWN)


@pytest.mark.parametrize(
    ("memory", "level"),
    [
        (Memory(100, 50, 0, 1), Level.BAD),
        (Memory(100, 50, 7, 0), Level.WARNING),
        (Memory(100, 4, None, None), Level.WARNING),
    ],
)
def test_memory(memory, level):
    assert only(replace(WELL, hardware=Hardware(memory, [], None)), "memory", level)


@pytest.mark.parametrize(
    ("clock", "level"),
    [
        (Clock(False, "", 0.0), Level.WARNING),
        (Clock(True, "x", -1.5), Level.WARNING),
        (Clock(True, "x", 0.5), Level.GOOD),
    ],
)
def test_the_clock(clock, level):
    assert only(replace(WELL, hardware=Hardware(None, [], clock)), "clock", level)


@pytest.mark.parametrize(
    ("certificate", "level"),
    [
        (Certificate(NOW + 31 * DAY), Level.GOOD),
        (Certificate(NOW + 29 * DAY), Level.WARNING),
        (Certificate(NOW + 6 * DAY), Level.BAD),
        (Certificate(NOW + 99 * DAY, "it is for another name"), Level.WARNING),
    ],
)
def test_the_certificate(certificate, level):
    assert only(replace(WELL, certificate=certificate), "certificate", level)


def test_temperatures_are_judged_by_their_own_limits():
    hot = [Temperature("cpu", 92.0, 100.0), Temperature("disk", 60.0, None), Temperature("odd", 91.0, None)]
    found = told(replace(WELL, hardware=Hardware(None, hot, None)), "temperature")
    assert [each.level for each in found] == [Level.BAD, Level.BAD]
    assert "at 100 °C the computer switches itself off" in found[0].text


def test_services():
    failed = replace_struct(UNIT, active="failed", result="exit-code")
    restarted = replace_struct(UNIT, restarts=3)
    missing = replace_struct(UNIT, active="failed", loaded=False)
    assert "exit-code" in only(replace(WELL, units=(failed, UNIT)), "services", Level.BAD).text
    assert "3 times" in only(replace(WELL, units=(restarted,)), "services", Level.WARNING).text
    assert worst(told(replace(WELL, units=(missing, UNIT)), "services")) is Level.GOOD, "not installed is not failed"


def test_an_update_that_was_taken_back_is_told_with_its_reason():
    update = Update("B", "1.3", "A", "1.2", NOW, Stage.FELL_BACK, reason="DHCP was not bound")
    facts = replace(WELL, slots=SlotsState([SLOT, OTHER], Record((update,)), False))
    finding = only(facts, "slots", Level.WARNING)
    assert "1.3 was taken back: DHCP was not bound" in finding.text


def test_a_subnet_that_is_set_aside_is_bad_and_says_what_to_do():
    aside = Aside("nic1", "nic1 has no IPv4 address", "give it one")
    facts = replace(WELL, served=("nic2",), aside=(aside,))
    found = only(facts, "subnets", Level.BAD)
    assert found.text == "The subnet nic1 is not served: nic1 has no IPv4 address."
    assert found.advice == "Give it one. It is served again by itself as soon as it fits."
    assert only(facts, "subnets", Level.GOOD).text == "Machines are served on nic2."
    assert len(told(replace(WELL, aside=(aside,)), "subnets")) == 1


def test_a_subnet_whose_cable_is_pulled_is_not_said_to_be_served():
    cut = "no link on nic1: no machine can boot over it; plug the cable in, or switch the switch on"
    facts = replace(WELL, served=("nic1", "nic2"), cut_off=(("nic1", cut),))
    found = only(facts, "subnets", Level.BAD)
    assert found.text == "No link on nic1: no machine can boot over it."
    assert found.advice == "Plug the cable in, or switch the switch on."
    assert only(facts, "subnets", Level.GOOD).text == "Machines are served on nic2."
    assert len(told(replace(facts, served=("nic1",)), "subnets")) == 1


def test_a_subnet_that_another_dhcp_server_holds_back_is_told_of():
    facts = replace(WELL, served=("nic1",), held_by=(("nic1", ("10.77.0.9",)),))
    found = only(facts, "subnets", Level.WARNING)
    assert found.text == "The subnet nic1 gives no new addresses: another DHCP server answers there (10.77.0.9)."
    assert len(told(facts, "subnets")) == 1


def test_one_of_something_is_said_as_one():
    facts = replace(WELL, units=(replace_struct(UNIT, restarts=1),))
    assert "restarted 1 time since" in only(facts, "services", Level.WARNING).text


def test_what_is_not_known_is_said_and_makes_nothing_worse():
    found = verdicts(Facts(now=NOW, flashed=False, certificate=Certificate(None)))
    assert {each.part for each in found} == set(PARTS)
    assert worst(found) is Level.GOOD
    assert "no flashed appliance" in next(each.text for each in found if each.part == "disks")
    asked = verdicts(Facts(now=NOW, flashed=True, unknown={"disks": "lsblk is not installed."}))
    assert next(each.text for each in asked if each.part == "disks") == "lsblk is not installed."
