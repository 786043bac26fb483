"""The record of updates, and the whole life of an appliance that is cut off anywhere."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from appliance.errors import ApplianceError, Conflict
from appliance.updates.boot_choice import FRESH, choose, is_good
from appliance.updates.copies import StoreCopy, fitting
from appliance.updates.record import (
    NEVER_UP,
    Record,
    Stage,
    Update,
    begin,
    check_no_trial,
    installed,
    judged,
    may_go_back,
    not_installed,
    parse,
    render,
    settled,
)

UPDATE = Update("B", "0.5.0", "A", "0.4.0", 100.0, Stage.INSTALLING)
WRITTEN = {**FRESH, "ORDER": "B A", "B_OK": "1"}


def begun() -> Record:
    return begin(Record(), UPDATE, 100.0)


def stage(record: Record) -> Stage:
    assert record.last is not None
    return record.last.stage


def test_an_update_that_holds() -> None:
    found = settled(installed(begun()), "B", WRITTEN, 200.0)
    assert found.on_trial
    record = judged(found.record, (), 300.0)
    assert stage(record) is Stage.GOOD
    assert not may_go_back(record, "B")
    assert not settled(record, "B", WRITTEN, 400.0).on_trial


def test_an_update_that_falls_back_says_why() -> None:
    record = installed(begun())
    for number in range(3):
        record = settled(record, "B", WRITTEN, 200.0 + number).record
        record = judged(record, ["not so: DHCP is served (port 67)"], 201.0 + number)
        assert stage(record) is Stage.TRYING
    found = settled(record, "A", {**WRITTEN, "B_TRY": "3"}, 300.0)
    assert (stage(found.record), found.given_up, found.on_trial) == (Stage.FELL_BACK, "B", False)
    last = found.record.last
    assert last is not None
    assert (last.reason, len(last.tries)) == ("not so: DHCP is served (port 67)", 3)
    assert may_go_back(found.record, "A")
    assert not may_go_back(found.record, "B")


def test_one_that_never_came_up_says_so() -> None:
    last = settled(installed(begun()), "A", {**WRITTEN, "B_TRY": "3"}, 300.0).record.last
    assert last is not None
    assert last.reason == NEVER_UP


def test_one_that_was_cut_off_touched_nothing() -> None:
    found = settled(begun(), "A", dict(FRESH), 200.0)
    assert (stage(found.record), found.given_up) == (Stage.CUT_OFF, "")
    assert not may_go_back(found.record, "A")


def test_one_whose_turn_comes_waits() -> None:
    found = settled(installed(begun()), "A", {**WRITTEN, "B_TRY": "1"}, 200.0)
    assert (stage(found.record), found.on_trial, found.given_up) == (Stage.TRYING, False, "")


def test_one_that_was_activated_before_that_was_noted_is_on_trial() -> None:
    assert settled(begun(), "B", WRITTEN, 200.0).on_trial


def test_lost_variables_are_a_fall_back() -> None:
    found = settled(installed(begun()), "A", None, 200.0)
    assert stage(found.record) is Stage.FELL_BACK
    assert found.record.last is not None
    assert found.record.last.reason == "the notes of the boot loader were lost"


def test_one_that_was_good_once_is_not_given_up_for_power_cuts() -> None:
    record = judged(settled(installed(begun()), "B", WRITTEN, 1.0).record, (), 2.0)
    found = settled(record, "A", {**WRITTEN, "B_TRY": "3"}, 3.0)
    assert (found.revived, found.given_up, found.on_trial) == ("B", "", False)
    assert settled(record, "B", WRITTEN, 3.0).revived == ""
    assert settled(Record(), "A", WRITTEN, 3.0).revived == ""


def test_a_slot_that_fell_back_is_given_up_once_more_where_that_was_cut_off() -> None:
    record = settled(installed(begun()), "A", {**WRITTEN, "B_TRY": "3"}, 300.0).record
    assert settled(record, "A", {**WRITTEN, "B_TRY": "3"}, 400.0).given_up == "B"
    assert settled(record, "A", {**WRITTEN, "B_OK": "0"}, 400.0).given_up == ""


def test_a_failed_one_and_a_further_one() -> None:
    record = not_installed(begun(), "no room", 150.0)
    assert stage(record) is Stage.FAILED
    assert not may_go_back(record, "A")
    record = begin(begin(record, UPDATE, 1.0), UPDATE, 2.0)
    assert [update.stage for update in record.updates] == [Stage.FAILED, Stage.CUT_OFF, Stage.INSTALLING]


def test_going_back_by_hand_may_give_up_what_is_newer() -> None:
    back = Update("A", "0.4.0", "B", "0.5.0", 1.0, Stage.TRYING, back=True)
    record = begin(Record(), back, 1.0)
    assert may_go_back(record, "A")
    assert not may_go_back(record, "B")
    assert may_go_back(judged(record, (), 2.0), "A"), "a start may be cut off before the store was opened"


def test_nothing_is_written_over_the_version_before_while_what_runs_is_on_trial() -> None:
    check_no_trial(begun(), "A")
    check_no_trial(installed(begun()), "A")
    on_trial = settled(installed(begun()), "B", WRITTEN, 200.0).record
    with pytest.raises(Conflict, match=r"0\.5\.0 runs on trial") as refused:
        check_no_trial(on_trial, "B")
    assert refused.value.code == "update-on-trial"
    check_no_trial(judged(on_trial, (), 300.0), "B")


def test_it_is_stored_and_bounded() -> None:
    record = Record()
    for at in range(30):
        record = begin(record, UPDATE, float(at))
    assert len(record.updates) == 20
    assert parse(render(record)) == record
    with pytest.raises(ApplianceError, match="cannot be read"):
        parse(b"{")


@dataclass
class Box:
    """An appliance of paper: two slots with versions, the boot loader's variables, the record, one store."""

    variables: dict[str, str] = field(default_factory=lambda: dict(FRESH))
    record: Record = field(default_factory=Record)
    versions: dict[str, int] = field(default_factory=lambda: {"A": 1})
    booted: str = "A"
    schema: int = 1
    rows: list[int] = field(default_factory=list)
    copies: dict[str, list[int]] = field(default_factory=dict)
    good: int = 1
    """The version that proved good last."""
    proved: set[int] = field(default_factory=lambda: {1})
    """All that ever did."""
    now: float = 0.0
    up: bool = False
    """Whether the daemon serves, so that somebody can ask it for an update."""

    def install(self, cut: str) -> None:
        """RAUC's order: the slot is bad while it is written, then good and first."""
        try:
            check_no_trial(self.record, self.booted)
        except Conflict:
            return
        other = "AB".replace(self.booted, "")
        self.record = begin(self.record, Update(other, "", self.booted, "", self.now, Stage.INSTALLING), self.now)
        self.variables |= {f"{other}_OK": "0", f"{other}_TRY": "0"}
        latest = max(self.versions.values())
        self.versions.pop(other, None)
        if cut == "writing":
            return
        self.versions[other] = latest + 1
        self.variables |= {f"{other}_OK": "1", f"{other}_TRY": "0", "ORDER": f"{other} {self.booted}"}
        if cut == "noting":
            return
        self.record = installed(self.record)

    def start(self, outcome: str) -> None:
        self.now += 1
        self.up = False
        choice = choose(self.variables)
        self.booted, self.variables = choice.slot, choice.variables
        if outcome == "panic" or self.booted not in self.versions:
            return
        found = settled(self.record, self.booted, self.variables, self.now)
        self.record = found.record
        if found.given_up:
            self.variables |= {f"{found.given_up}_OK": "0", "ORDER": f"{self.booted} {found.given_up}"}
        if found.revived:
            other = "AB".replace(found.revived, "")
            self.variables |= {f"{found.revived}_TRY": "0", "ORDER": f"{found.revived} {other}"}
        elif not found.on_trial:
            self.variables[f"{self.booted}_TRY"] = "0"
        if outcome == "cut" or not self.opens_store():
            return
        self.rows.append(int(self.now))
        self.up = True
        if found.on_trial and outcome == "good":
            self.variables[f"{self.booted}_TRY"] = "0"
            self.record = judged(self.record, (), self.now)
            self.good = self.versions[self.booted]
            self.proved.add(self.good)
        elif found.on_trial:
            self.record = judged(self.record, ["bad"], self.now)

    def has_a_way_back(self) -> bool:
        """Whether a version that proved good once may be started."""
        return any(version in self.proved and is_good(self.variables, slot) for slot, version in self.versions.items())

    def opens_store(self) -> bool:
        """As the daemon does; its version is its schema."""
        known = self.versions[self.booted]
        if self.schema > known:
            copy = fitting(self.copies, known, self.schema) if may_go_back(self.record, self.booted) else None
            if copy is None:
                return False
            self.schema, self.rows = copy.schema, list(self.copies.pop(copy.name))
        elif self.schema < known:
            self.copies[StoreCopy(self.now, self.schema, known).name] = list(self.rows)
            self.schema = known
        return True


STEPS = st.one_of(
    st.tuples(st.just("install"), st.sampled_from(["writing", "noting", ""])),
    st.tuples(st.just("start"), st.sampled_from(["panic", "cut", "good", "bad"])),
)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_what_was_stored_by_a_good_version_stays_and_the_box_comes_up(
    steps: list[tuple[str, str]],
) -> None:
    box = Box()
    box.start("good")
    note(steps)
    kept: list[int] = list(box.rows)
    for what, how in steps:
        if what == "install":
            if box.up:
                box.install(how)
            assert box.has_a_way_back(), "the last version that was good is written over"
            continue
        box.start(how)
        if box.up and box.versions[box.booted] == box.good:
            kept.append(int(box.now))
        if box.up:
            assert set(kept) <= set(box.rows), "a row that a good version stored is gone"
    for _ in range(8):
        box.start("good")
    assert box.rows[-1] == int(box.now), "it came up and stores"
