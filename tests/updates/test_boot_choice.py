"""Which slot is started: three tries, then the one before; and always one."""

import itertools
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
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


COMMANDS = """
load_env() { [ -s "$2" ] && . "$2"; }
save_env() {
  local file=$2 name; shift 2
  [ -s "$file" ] || return 1
  for name in "$@"; do echo "$name='${!name}'" >>"$file"; done
}
serial() { return 1; }
regexp() { disk=hd0; }
probe() { part=${3##*gpt}; part=${part%)}; }
linux() {
  started=$(expr "$*" : '.*rauc.slot=\\(.\\)')
  case " $LOADS " in *" $part "*) echo "linux $*" >&2;; *) return 1;; esac
}
initrd() { case " $LOADS " in *" no-initrd "*) return 1;; esac; }
boot() { echo "$started boots"; exit; }
sleep() { :; }
reboot() { echo "$started restarts"; exit; }
"""
"""GRUB's commands, as far as the script uses them, in bash: a file of assignments in the place of its block."""
PARTITIONS = {"A": "4", "B": "5"}


def in_shell(text: str) -> str:
    """GRUB's script in bash's language: only assignments and entries of the menu differ."""
    entries = itertools.count()
    text = re.sub(r"^menuentry '[^']*' ", lambda _: f"function entry_{next(entries)} ", text, flags=re.MULTILINE)
    return re.sub(r"\bset (\w+)=", r"\1=", text)


PROGRAM = "\n".join(
    [COMMANDS, "prefix=. root=hd0,gpt2", in_shell(SCRIPT.read_text()), 'entry_$default; echo "$started stays"']
)


@dataclass
class Disk:
    """Where GRUB finds its notes, which it reads and writes as files of assignments."""

    directory: Path

    def has(self, variables: dict[str, str], name: str = "grubenv") -> None:
        lines = [f"{key}={shlex.quote(value)}\n" for key, value in variables.items()]
        (self.directory / name).write_text("".join(lines))

    def noted(self, name: str = "grubenv") -> dict[str, str]:
        """The last word on each variable."""
        lines = (self.directory / name).read_text().splitlines()
        return {
            key: shlex.split(value)[0] if value else "" for key, _, value in (line.partition("=") for line in lines)
        }

    def starts(self, loads: str = "4 5") -> tuple[str, str]:
        """One start by the script: the words about what it came to, and the kernel's command line."""
        program = f"LOADS='{loads}'\n{PROGRAM}"
        argv = ["bash", "-c", program]
        done = subprocess.run(argv, cwd=self.directory, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1], done.stderr


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_the_script_of_the_boot_loader_does_what_the_model_does() -> None:
    blocks = [
        {"ORDER": order, "A_OK": a_ok, "B_OK": b_ok, "A_TRY": a_try, "B_TRY": b_try}
        for order in ("A B", "B A", "A", "", "C B")
        for a_ok in ("1", "0", "")
        for b_ok in ("1", "0")
        for a_try in ("0", "1", "2", "3", "", "x")
        for b_try in ("0", "2", "3", "4")
    ]
    text = SCRIPT.read_text()
    part = in_shell(text[text.index("function next_try") : text.index("save_env")])
    script = ["choosing() {", part, 'echo "${slot:-A} $A_TRY $B_TRY"', "}"]
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


@pytest.mark.parametrize(("order", "loads"), [
    ("B A", "4"), ("B A", "5"), ("A B", "5"), ("B A", ""), ("A B", "4 5"), ("B A", "4 5 no-initrd"),
])  # fmt: skip
def test_what_cannot_be_loaded_was_a_try_and_the_computer_restarts(disk: Disk, order: str, loads: str) -> None:
    """As the model has it, start by start; nobody has to press a key, and what can be loaded runs in the end."""
    variables = {**FRESH, "ORDER": order, "B_OK": "1"}
    disk.has(variables)
    came_to = []
    for _ in range(7):
        choice = choose(variables)
        words, _ = disk.starts(loads)
        boots = PARTITIONS[choice.slot] in loads and "no-initrd" not in loads
        assert words == f"{choice.slot} {'boots' if boots else 'restarts'}"
        assert {name: disk.noted()[name] for name in variables} == choice.variables
        came_to.append(boots)
        variables = choice.variables
    assert any(came_to[:4]) == (loads in ("4", "5", "4 5")), "the third try of one is followed by the other"


def test_where_its_notes_are_lost_a_second_copy_counts(disk: Disk) -> None:
    disk.has({})
    disk.has({**FRESH, "ORDER": "B A", "A_OK": "0", "B_OK": "1", "machine_id": "f00", "factory_reset": "1"}, "grubenv2")
    for number in (1, 2, 3):
        words, line = disk.starts()
        assert words == "B boots"
        assert disk.noted("grubenv2")["B_TRY"] == str(number), "tries are counted there, too"
        assert "systemd.machine_id=f00" in line
        assert "factory_reset" not in line, "what was asked for once does not come again out of an older copy"


def test_where_both_are_lost_the_first_slot_is_started(disk: Disk) -> None:
    assert disk.starts()[0] == "A boots"


def test_a_factory_reset_is_forgotten_before_it_is_done(disk: Disk) -> None:
    disk.has({**FRESH, "factory_reset": "1"})
    assert "systemd.factory_reset=1" in disk.starts()[1]
    assert "factory_reset" not in disk.starts()[1]


def test_grub_can_read_the_script() -> None:
    subprocess.run(["grub-script-check", SCRIPT], check=True)
