"""A lab with its appliance needs no root, and one runs beside another."""

import asyncio
import json
import os
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from lab_processes import environment, of_lab, ordinary

from appliance.lab.artefacts import build

pytestmark = [pytest.mark.vm, pytest.mark.timeout(300)]

PROGRAM = Path(__file__).parent / "one_machine.py"


async def _one_machine(base: Path, artefacts: Path) -> dict[str, Any]:
    """What the program says that sends one machine the maintenance stack, run as an ordinary user."""
    before, python = ordinary()
    argv = [*before, python, str(PROGRAM), str(base / "labs"), str(artefacts / "stack"), str(artefacts / "programs")]
    process = await asyncio.create_subprocess_exec(*argv, env=environment(base), stdout=PIPE, stderr=PIPE)
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return dict(json.loads(said))


async def test_two_labs_of_an_ordinary_user_boot_machines_side_by_side(shared_directory: Path) -> None:
    built = await build()
    artefacts = shared_directory / "artefacts"
    for name, path in (("stack", built.stack), ("programs", built.programs)):
        await asyncio.to_thread(shutil.copytree, path, artefacts / name)
    one, two = await asyncio.gather(*(_one_machine(shared_directory, artefacts) for _ in range(2)))
    assert one["user"] == two["user"] != 0 or os.getuid() == one["user"]
    assert one["daemon"]
    assert two["daemon"]
    assert one["port"] != two["port"]
    assert of_lab(shared_directory) == []
