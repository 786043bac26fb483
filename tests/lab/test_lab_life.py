"""Labs begin and end: what they make for themselves goes with them, however they end."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from lab_processes import environment, is_locked, labs, of_lab, ordinary, start_lab, until

from appliance.errors import ApplianceError
from appliance.lab.lab import Lab
from appliance.lab.plan import DaemonPlan, LabPlan, plan_machines
from appliance.lab.run import listen

EMPTY = LabPlan(())


def interfaces() -> set[str]:
    return set(os.listdir("/sys/class/net"))


async def test_a_lab_has_its_own_switch_and_leaves_nothing(tmp_path: Path) -> None:
    before = interfaces()
    async with Lab(LabPlan(plan_machines(2, nics=2)), base=tmp_path) as lab:
        shown = (await lab.run(["ip", "-br", "address"])).check("listing").stdout
        assert "10.77.0.1/24" in shown
        assert all(nic.tap in shown for machine in lab.plan.machines for nic in machine.nics)
        assert interfaces() == before
        path = lab.directory.path
        assert path.stat().st_mode & 0o777 == 0o700
        assert lab.directory.control.stat().st_mode & 0o077 == 0
        assert lab.directory.console("node1").stat().st_mode & 0o077 == 0
    assert not path.exists()
    assert of_lab(path) == []


async def test_two_labs_with_the_same_addresses_run_side_by_side(tmp_path: Path) -> None:
    async with Lab(EMPTY, base=tmp_path) as one, Lab(EMPTY, base=tmp_path) as two:
        for lab in (one, two):
            assert "10.77.0.1" in (await lab.run(["ip", "-br", "address"])).stdout
        spaces = [(await lab.run(["readlink", "/proc/self/ns/net"])).stdout for lab in (one, two)]
        assert spaces[0] != spaces[1]


async def test_an_order_that_makes_no_sense_gets_its_error(tmp_path: Path) -> None:
    async with Lab(LabPlan(plan_machines(1)), base=tmp_path) as lab:
        with pytest.raises(ApplianceError, match="node1 is off"):
            await lab.machine("node1").reset()
        reader, writer = await asyncio.open_unix_connection(lab.directory.control)
        for wrong in (b"{}", b"[]", b"nonsense", b'{"order": "dance"}', b'{"order": "reset", "machine": "x"}', b"\xff"):
            writer.write(wrong + b"\n")
            assert b'"code": "lab-' in await reader.readline()
        writer.close()
        assert (await lab.machine("node1").status())["running"] is False


async def test_a_name_in_the_way_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    machine = plan_machines(1)[0]
    with pytest.raises(ApplianceError, match="making the lab's network"):
        async with Lab(LabPlan((machine, machine)), base=tmp_path):
            pass
    assert of_lab(tmp_path) == []


async def test_a_daemon_that_does_not_start_ends_the_lab_with_its_reason(tmp_path: Path) -> None:
    plan = LabPlan((), daemon=DaemonPlan("/nowhere/stack", "/nowhere/programs"))
    with listen(None) as web, pytest.raises(ApplianceError, match=r"the daemon does not start: .+"):
        async with Lab(plan, web=web, base=tmp_path):
            pass
    assert of_lab(tmp_path) == []
    assert list((tmp_path).glob("*/plan.json")) == []


def test_the_next_free_port_is_taken_and_a_taken_one_is_refused() -> None:
    with listen(None) as first, listen(None) as second:
        assert first.getsockname()[0] == "127.0.0.1"
        assert first.getsockname()[1] != second.getsockname()[1]
        with pytest.raises(ApplianceError, match=r"cannot listen on port \d+: Address already in use"):
            listen(first.getsockname()[1])


@asynccontextmanager
async def running_lab(base: Path, *arguments: str, **options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await start_lab(base, *arguments, **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def has_machine(base: Path) -> bool:
    return any(each.cmdline()[:1] == ["qemu-system-x86_64"] for each in of_lab(base))


@pytest.mark.vm
async def test_ctrl_c_ends_a_lab_in_good_order(tmp_path: Path) -> None:
    async with running_lab(tmp_path, "--nodes", "1", "--keep-logs", str(tmp_path / "logs")) as process:
        card = (await until(lambda: labs(tmp_path)))[0]
        await until(lambda: has_machine(tmp_path))
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
        assert process.returncode == 0, said
        assert b"kept:" in said
    assert not card["path"].exists()
    assert of_lab(card["path"]) == []
    assert (tmp_path / "logs").is_dir()


def in_namespace(link: str) -> list[str]:
    """Process ids in a network namespace."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/ns/net") == link:
                found.append(pid)
        except OSError:
            continue
    return found


@pytest.mark.vm
async def test_a_killed_lab_takes_everything_with_it_but_files_and_those_go_at_the_next_start(tmp_path: Path) -> None:
    async with running_lab(tmp_path, "--nodes", "1") as process:
        card = (await until(lambda: labs(tmp_path)))[0]
        await until(lambda: has_machine(tmp_path))
        space = os.readlink(f"/proc/{card['door']}/ns/net")
        assert len(in_namespace(space)) >= 3
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await until(lambda: not in_namespace(space))
        await until(lambda: not is_locked(card["path"] / "lock"))
        assert of_lab(card["path"]) == []
        assert card["path"].exists()
    async with Lab(EMPTY, base=card["path"].parent):
        assert not card["path"].exists()


@pytest.mark.vm
async def test_an_ordinary_user_can_run_a_lab(shared_directory: Path) -> None:
    before, python = ordinary()
    async with running_lab(shared_directory, "--nodes", "1", before=before, python=python) as process:
        card = (await until(lambda: labs(shared_directory) or (process.returncode is not None and [None])))[0]
        assert card is not None, await process.communicate()
        log = card["path"] / "node1.serial.log"
        await until(lambda: log.exists() and b"iPXE" in log.read_bytes())
        assert {each.uids().real for each in of_lab(shared_directory)} & {0} == (
            set() if before else {0} & {os.getuid()}
        )
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    assert not card["path"].exists()


async def test_a_socket_is_handed_over_the_way_systemd_does(tmp_path: Path) -> None:
    program = (
        "import os, socket; s = socket.socket(fileno=3);"
        "print(os.getpid(), os.environ['LISTEN_PID'], os.environ['LISTEN_FDS'], os.environ['LISTEN_FDNAMES'], "
        "s.getsockname()[1])"
    )
    with listen(None) as web:
        argv = [sys.executable, "-m", "appliance.lab.activate", str(web.fileno()), "web", sys.executable, "-c", program]
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=PIPE, pass_fds=[web.fileno()], env=environment(tmp_path)
        )
        stdout, _ = await process.communicate()
        pid, listen_pid, *rest = stdout.decode().split()
        assert pid == listen_pid == str(process.pid)
        assert rest == ["1", "web", str(web.getsockname()[1])]


def test_a_listening_socket_can_be_reached_from_outside() -> None:
    with listen(None) as web, socket.create_connection(web.getsockname(), timeout=5):
        web.accept()[0].close()
