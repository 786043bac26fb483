"""The words of ``qrm lab``: usage errors, listings, errors with their hints."""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from appliance.cli.main import main
from appliance.lab.card import Card, write_card, write_plan
from appliance.lab.directory import create, default_base
from appliance.lab.plan import LabPlan, plan_machines


@pytest.fixture(autouse=True)
def _own_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@dataclass(frozen=True)
class Said:
    exit_code: int
    output: str


def invoke(*arguments: str) -> Said:
    """``qrm lab ARGUMENTS``, errors told as ``qrm`` tells them."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output), patch.object(sys, "argv", ["qrm", "lab", *arguments]):
        return Said(main(), output.getvalue())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--firmware", "coreboot"],
        ["--nodes", "65"],
        ["--nodes", "-1"],
        ["--port", "0"],
        ["--check", "--no-daemon"],
        ["--check", "--nodes", "0"],
        ["power", "node1", "explode"],
        ["dance"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert invoke(*arguments).exit_code == 2


def test_too_little_memory_is_said_before_anything_is_started(tmp_path: Path) -> None:
    result = invoke("--no-daemon", "--nodes", "2", "--memory", "9999999")
    assert result.exit_code == 1
    assert "MiB of memory" in result.output
    assert "--nodes" in result.output
    assert list(tmp_path.iterdir()) == []


def test_no_lab_is_said_with_what_to_do() -> None:
    assert invoke("list").output == ""
    assert json.loads(invoke("list", "--json").output) == []
    result = invoke("console", "node1")
    assert result.exit_code == 1
    assert "no lab is running" in result.output
    assert "start one with: qrm lab" in result.output
    assert "(lab-none)" in result.output


def test_a_running_lab_is_listed_and_its_machines_are_known() -> None:
    directory, lock = create(default_base())
    write_plan(directory, LabPlan(plan_machines(2)))
    write_card(directory, Card(os.getpid(), 8443, ("node1", "node2")))
    assert f"{directory.name}  https://127.0.0.1:8443/  node1 node2" in invoke("list").output
    assert json.loads(invoke("list", "--json").output)[0]["machines"] == ["node1", "node2"]
    unknown = invoke("power", "node9", "on")
    assert unknown.exit_code == 1
    assert "there are: node1, node2" in unknown.output
    dead = invoke("power", "node1", "on")
    assert dead.exit_code == 1
    assert "does not answer" in dead.output
    os.close(lock)
