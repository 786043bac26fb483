"""Every statement about protocols has a test, and every test that is named for it is there and is run."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.protocols import SECTIONS, STATEMENTS, Statement

TESTS = Path(__file__).parent
NEEDED = {"DHCPv4", "PXE and UEFI", "TFTP", "DNS", "Robustness"}
LEAST = {"DHCPv4": 45, "PXE and UEFI": 25, "TFTP": 20, "DNS": 28, "Robustness": 20}
"""How many statements each section has at least: as many as there are in the document that it was taken from."""
HOLDS_EXAMPLES = "TestCase"
"""Ends the name of a state machine of hypothesis, whose ``runTest`` pytest collects."""


@cache
def names_in(path: Path) -> frozenset[str]:
    """What pytest collects from a file, as it is called there, read without running it."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test_"):
                found.add(name)
            case ast.ClassDef(name=name, body=body) if name.startswith("Test"):
                found |= {f"{name}::{each.name}" for each in body if _is_test(each)}
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute(attr=attr)) if attr == HOLDS_EXAMPLES:
                found.add(f"{name}::runTest")
    return frozenset(found)


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each.says)
def test_every_statement_names_tests_that_are_there(statement: Statement) -> None:
    assert statement.tests, "a statement without a test"
    for named in statement.tests:
        file, _, name = named.partition("::")
        path = TESTS / file
        assert path.name.startswith("test_"), f"pytest does not collect {file}"
        assert path.is_file(), file
        assert name in names_in(path), named


def test_all_sections_are_there_whole() -> None:
    assert set(SECTIONS) == NEEDED
    for name, least in LEAST.items():
        assert len(SECTIONS[name]) >= least, name
    assert all(statement.section for statement in STATEMENTS)


def test_nothing_is_said_twice_and_everything_is_said() -> None:
    said = [(statement.section, statement.says) for statement in STATEMENTS]
    assert len(said) == len(set(said))
    assert all(len(says) > 2 for _, says in said)


def test_the_names_of_a_file_are_those_that_pytest_collects(tmp_path: Path) -> None:
    file = tmp_path / "test_some.py"
    file.write_text(
        "import x\ndef test_a(): ...\nasync def test_b(): ...\ndef helper(): ...\n"
        "class TestC:\n    def test_d(self): ...\n    def not_one(self): ...\ntest_life = x.Life.TestCase\n"
    )
    assert names_in(file) == {"test_a", "test_b", "TestC::test_d", "test_life::runTest"}


@pytest.mark.slow
def test_pytest_collects_all_of_them() -> None:
    """By asking pytest itself: a file that cannot be imported, or is left out by a setting, is found here."""
    files = sorted({named.partition("::")[0] for statement in STATEMENTS for named in statement.tests})
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", *(str(TESTS / file) for file in files)]
    done = subprocess.run(argv, cwd=TESTS.parent, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    collected = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}
    wanted = {f"tests/{named}" for statement in STATEMENTS for named in statement.tests}
    assert wanted - collected == set()
