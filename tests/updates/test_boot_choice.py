"""Which slot is started: three tries, then the one before; and always one."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.updates.boot_choice import FRESH, TRIES, choose, may_start, tries_of

BITS = st.sampled_from(["0", "1", "", "7"])
COUNTS = st.sampled_from(["0", "1", "2", "3", "4", "", "x", "99999"])
ORDERS = st.sampled_from(["A B", "B A", "A", "B", "", "C B", "A A B"])
BLOCKS = st.fixed_dictionaries({"ORDER": ORDERS, "A_OK": BITS, "B_OK": BITS, "A_TRY": COUNTS, "B_TRY": COUNTS})


def starts(variables: dict[str, str], number: int) -> list[str]:
    """What is started when nothing ever comes up."""
    found = []
    for _ in range(number):
        choice = choose(variables)
        found.append(choice.slot)
        variables = choice.variables
    return found


def test_a_new_slot_has_three_tries_then_the_one_before_has() -> None:
    written = {**FRESH, "ORDER": "B A", "B_OK": "1"}
    assert starts(written, 7) == ["B", "B", "B", "A", "A", "A", "B"]


def test_a_slot_that_was_never_written_is_not_started() -> None:
    assert starts(dict(FRESH), 7) == ["A"] * 7


def test_lost_variables_start_the_first_slot() -> None:
    assert choose({}).slot == "A"


@given(BLOCKS)
def test_something_is_always_started_and_counted(variables: dict[str, str]) -> None:
    choice = choose(variables)
    assert choice.slot in ("A", "B")
    assert 1 <= tries_of(choice.variables, choice.slot) <= TRIES or not may_start(variables, choice.slot)


@given(BLOCKS)
def test_of_those_that_may_start_the_first_is_taken_and_the_other_is_not_touched(variables: dict[str, str]) -> None:
    choice = choose(variables)
    other = "AB".replace(choice.slot, "")
    if may_start(variables, choice.slot):
        assert tries_of(choice.variables, choice.slot) == tries_of(variables, choice.slot) + 1
        assert choice.variables[f"{other}_TRY"] == variables[f"{other}_TRY"]
    else:
        assert not may_start(variables, other) or other not in variables["ORDER"].split()


@given(BLOCKS)
def test_nobody_starts_for_ever_while_the_other_could(variables: dict[str, str]) -> None:
    both = {**variables, "ORDER": "B A", "A_OK": "1", "B_OK": "1", "A_TRY": "0"}
    assert set(starts(both, 2 * TRIES)) == {"A", "B"}
