"""Which slot is started: three tries, then the one before; and always one."""

import re
import shlex
import subprocess
from pathlib import Path

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
    assert starts({}, 5) == ["A"] * 5


@given(BLOCKS)
def test_of_those_that_may_start_the_first_is_taken_and_counted_and_the_other_is_not_touched(
    variables: dict[str, str],
) -> None:
    choice = choose(variables)
    other = "AB".replace(choice.slot, "")
    if may_start(variables, choice.slot):
        assert tries_of(choice.variables, choice.slot) == tries_of(variables, choice.slot) + 1
        assert choice.variables[f"{other}_TRY"] == variables[f"{other}_TRY"]
    else:
        assert not may_start(variables, other)


@given(BLOCKS)
def test_nobody_starts_for_ever_while_the_other_could(variables: dict[str, str]) -> None:
    both = {**variables, "ORDER": "B A", "A_OK": "1", "B_OK": "1", "A_TRY": "0"}
    assert set(starts(both, 2 * TRIES)) == {"A", "B"}


SCRIPT = Path(__file__).parent.parent.parent / "image-builder" / "appliance" / "esp" / "grub.cfg"


def in_shell(text: str) -> str:
    """The part of GRUB's script that chooses, in the shell's language: only assignments differ."""
    part = text[text.index("function next_try") : text.index("save_env")]
    return re.sub(r"\bset (\w+)=", r"\1=", part)


def test_the_script_of_the_boot_loader_does_what_the_model_does() -> None:
    blocks = [
        {"ORDER": order, "A_OK": a_ok, "B_OK": b_ok, "A_TRY": a_try, "B_TRY": b_try}
        for order in ("A B", "B A", "A", "", "C B")
        for a_ok in ("1", "0", "")
        for b_ok in ("1", "0")
        for a_try in ("0", "1", "2", "3", "", "x")
        for b_try in ("0", "2", "3", "4")
    ]
    script = ["choosing() {", in_shell(SCRIPT.read_text()), 'echo "${slot:-A} $A_TRY $B_TRY"', "}"]
    script += [
        " ".join(f"{name}={shlex.quote(value)}" for name, value in each.items()) + "; choosing" for each in blocks
    ]
    done = subprocess.run(["bash"], input="\n".join(script), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(blocks), done.stderr
    for block, line in zip(blocks, lines, strict=True):
        choice = choose(block)
        expected = f"{choice.slot} {choice.variables['A_TRY']} {choice.variables['B_TRY']}"
        assert line == expected, block


def test_grub_can_read_the_script() -> None:
    subprocess.run(["grub-script-check", SCRIPT], check=True)
