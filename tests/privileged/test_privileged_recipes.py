"""``recipes.build``: the unit is started, waited for, and stopped whatever happens; and what the unit may do."""

import asyncio
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.errors import ApplianceError, Invalid, NotFound
from appliance.privileged.recipes import build
from appliance.privileged.table import TABLE
from appliance.privileged.verbs.recipes import Build
from appliance.recipes.order import BUILDING
from tests.privileged.paper_computer import Answers, computer, quiet, serving

PLACE = "00000000000000ab"
UNIT = f"appliance-recipe@{PLACE}.service"
ANSWERS: Answers = {f"systemctl {verb}": "" for verb in ("stop", "start --wait", "reset-failed")}
FILE = Path(__file__).parents[2] / "systemd" / "appliance-recipe@.service"


def _place(directory: Path) -> Path:
    made = directory.joinpath("state", "var", "lib", "appliance", *BUILDING, PLACE)
    made.mkdir(parents=True)
    return made


async def test_the_unit_is_started_waited_for_and_stopped(tmp_path: Path) -> None:
    on, programs = computer(tmp_path, ANSWERS)
    _place(tmp_path)
    await build(Build(PLACE), on, quiet)
    assert [each[1:] for each in programs.ran] == [
        ["stop", UNIT], ["start", "--wait", UNIT], ["stop", UNIT], ["reset-failed", UNIT],
    ]  # fmt: skip


async def test_a_unit_that_failed_has_said_why_in_its_place(tmp_path: Path) -> None:
    failed = ApplianceError("program-failed", "systemctl: Job failed")
    on, programs = computer(tmp_path, ANSWERS | {"systemctl start": failed, "systemctl start --wait": failed})
    _place(tmp_path)
    await build(Build(PLACE), on, quiet)
    assert ["systemctl", "reset-failed", UNIT] in programs.ran
    stuck = ApplianceError("program-stuck", "systemctl: no end")
    on, programs = computer(tmp_path, ANSWERS | {"systemctl start --wait": stuck})
    with pytest.raises(ApplianceError, match="no end"):
        await build(Build(PLACE), on, quiet)
    assert programs.ran[-2][1:] == ["stop", UNIT]


@pytest.mark.parametrize("name", ["", "ab", "../../../etc", "00000000000000ab/..", "00000000000000AB", "x" * 16])
async def test_a_name_is_no_path_and_no_other_unit(name: str, tmp_path: Path) -> None:
    on, programs = computer(tmp_path, ANSWERS)
    _place(tmp_path)
    with pytest.raises(Invalid):
        await build(Build(name), on, quiet)
    assert programs.ran == []


async def test_a_place_that_is_none_or_a_link_is_refused(tmp_path: Path) -> None:
    on, programs = computer(tmp_path, ANSWERS)
    with pytest.raises(NotFound):
        await build(Build(PLACE), on, quiet)
    made = _place(tmp_path)
    made.rmdir()
    made.symlink_to("/etc")
    with pytest.raises(NotFound):
        await build(Build(PLACE), on, quiet)
    assert programs.ran == []


async def test_it_is_stopped_when_who_asked_goes_away(tmp_path: Path) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()
    _place(tmp_path)

    class Slow:
        async def __call__(self, argv: Sequence[str], /, seconds: float = 30.0) -> str:
            if argv[1] == "start":
                started.set()
                await asyncio.Event().wait()
            elif argv[1] == "stop" and started.is_set():
                stopped.set()
            return ""

    on, _ = computer(tmp_path)
    on = type(on)(on.roots, Slow())
    async with serving(tmp_path, on, {Build.name: TABLE[Build.name]}) as privileged:
        asking = asyncio.get_running_loop().create_task(privileged.call(Build(PLACE)))
        await started.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.wait_for(stopped.wait(), 10)


def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    (tmp_path / FILE.name).write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", FILE.read_text()))
    argv = ["systemd-analyze", "verify", "--man=no", tmp_path / UNIT.replace(PLACE, "x")]
    (tmp_path / UNIT.replace(PLACE, "x")).symlink_to(FILE.name)
    found = subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=False, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    )
    assert [line for line in found.stderr.splitlines() if "appliance" in line] == []


def test_the_unit_sees_its_place_and_nothing_else_of_the_daemon_s_state() -> None:
    lines = FILE.read_text().splitlines()
    place = f"/var/lib/appliance/{'/'.join(BUILDING)}/%i"
    assert {"User=appliance", "ProtectSystem=strict", "PrivateTmp=yes", f"BindPaths={place}"} <= set(lines)
    assert "TemporaryFileSystem=/var/lib/appliance:mode=0755" in lines
    assert f"ExecStart=/opt/qrm/bin/python3 -m appliance.recipes.building {place}" in lines
    assert not [line for line in lines if line.startswith(("AmbientCapabilities", "[Install]", "WantedBy"))]


def test_the_programs_that_map_users_keep_what_their_files_give_them() -> None:
    """systemd.exec(5): each of these may imply NoNewPrivileges= for a user who is not root."""
    keys = {line.partition("=")[0] for line in FILE.read_text().splitlines()}
    filters = {
        "RestrictNamespaces",
        "RestrictAddressFamilies",
        "RestrictRealtime",
        "RestrictSUIDSGID",
        "PrivateDevices",
    }
    filters |= {"SystemCallFilter", "SystemCallArchitectures", "LockPersonality", "MemoryDenyWriteExecute"}
    hidden = {"ProtectProc", "ProcSubset", "ProtectKernelTunables", "ProtectKernelLogs", "ProtectControlGroups"}
    assert keys & (filters | hidden | {"ProtectClock", "ProtectKernelModules", "ProtectHostname"}) == set()
    assert "NoNewPrivileges=no" in FILE.read_text()
