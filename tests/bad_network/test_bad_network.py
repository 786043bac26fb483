"""Whole boots over a cable that loses one frame in twenty, doubles one in a hundred, and turns others round.

The kernel's own netem would do it too; where there is none, `lossy` is the cable.
"""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.lab.artefacts import BUILDER
from appliance.lab.plan import FirmwareChoice, MachinePlan, Nic, plan_machines
from appliance.lab.qemu import Channels, command_line, factory_variables, variables_file
from tests.daemon_namespace import Daemon, Namespace
from tests.exhaustion.siege import Machine

SEED = 7
SECONDS = 100
LONG = 500
"""Seconds that real firmware may take; it waits long for what is lost."""
PROGRAM = Path(__file__).with_name("lossy.py")
CABLE = """
link add br1 type bridge stp_state 0 forward_delay 0
link set br1 up
link add near0 type veth peer name near1
link add far0 type veth peer name far1
link set near0 master br0
link set far0 master br1
link set near0 up
link set near1 up
link set far0 up
link set far1 up
"""
OFFLOADS = "import sys; from tests.bad_network.lossy import whole_frames; [whole_frames(each) for each in sys.argv[1:]]"
LARGE = 3 << 20
"""Bytes of the initrd that has to come over it."""


@contextmanager
def bad_cable(namespace: Namespace) -> Iterator[None]:
    """Beside the appliance's bridge br0 there is br1, and between the two only that cable."""
    for line in CABLE.strip().splitlines():
        namespace.run("ip", *line.split())
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])}
    sides = ("br0", "near0", "far0", "br1")
    subprocess.run(namespace.inside(sys.executable, "-c", OFFLOADS, *sides), env=environment, check=True)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "env": environment}
    with namespace.popen(sys.executable, PROGRAM, "near1", "far1", SEED, **pipes) as cable:
        try:
            assert cable.stdout.readline() == b"carries\n"
            yield
        finally:
            cable.kill()


@pytest.fixture
def appliance(daemon: Daemon) -> Daemon:
    """Started, with something large to send, and real boot programs: a ROM brings its own iPXE, UEFI fetches one."""
    shutil.copytree(_built("programs"), daemon.path / "programs", dirs_exist_ok=True)
    with (daemon.path / "stack/initrd").open("r+b") as large:
        large.truncate(LARGE)
    daemon.start()
    return daemon


@pytest.fixture
def kernel(daemon: Daemon) -> None:
    """The maintenance stack's own, to be there before the daemon starts: UEFI looks whether it is a program at all."""
    shutil.copyfile(_built("stack") / "vmlinuz", daemon.path / "stack/vmlinuz")


def _built(what: str) -> Path:
    said = subprocess.run([BUILDER, what], check=True, stdout=subprocess.PIPE).stdout
    return Path(json.loads(said)[what])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_machine_has_its_address_its_programs_and_its_script_each_time(
    appliance: Daemon, namespace: Namespace
) -> None:
    with bad_cable(namespace):
        namespace.run("ip", "link", "set", "port0", "master", "br1")
        machine = Machine(namespace, appliance.path)
        try:
            took = [machine.boot() for _ in range(4)]
        finally:
            machine.close()
    print(f"boots over a bad cable took {min(took):.1f} to {max(took):.1f} s")
    assert max(took) < SECONDS


@contextmanager
def running(namespace: Namespace, machine: MachinePlan, directory: Path) -> Iterator[None]:
    """The machine, switched on; what it says on its serial line is kept beside it."""
    if name := variables_file(machine):
        shutil.copyfile(factory_variables(machine), directory / name)
    with ExitStack() as ending:
        pairs = [socket.socketpair() for _ in range(2)]
        for each in (end for pair in pairs for end in pair):
            ending.enter_context(each)
        qmp, serial = (theirs.fileno() for _, theirs in pairs)
        # A BIOS waits for as long as nobody takes what it says.
        heard = ending.enter_context((directory / "serial").open("wb"))
        listener = ending.enter_context(subprocess.Popen(["cat"], stdin=pairs[1][0], stdout=heard))
        ending.callback(listener.kill)
        argv = command_line(machine, directory, Channels(qmp=qmp, serial=serial))
        with namespace.popen(*argv, pass_fds=(qmp, serial)) as process:
            try:
                yield
            finally:
                process.kill()


@pytest.mark.vm
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("firmware", ["bios", "uefi", "uefi-http"])
def test_real_firmware_loads_the_whole_stack(
    kernel: None, appliance: Daemon, namespace: Namespace, tmp_path: Path, firmware: FirmwareChoice
) -> None:
    """From the first DISCOVER to the last byte of the initrd: QEMU's iPXE; OVMF's PXE, and its HTTP boot."""
    sent = re.compile(r"/stack/\w+/initrd \((\d{7}) bytes")
    (planned,) = plan_machines(1, firmware)
    machine = replace(planned, disks=(), nics=(Nic("52:54:00:aa:bb:01", "tap0"),))
    with bad_cable(namespace):
        namespace.run("ip", "tuntap", "add", "tap0", "mode", "tap")
        namespace.run("ip", "link", "set", "tap0", "master", "br1")
        namespace.run("ip", "link", "set", "tap0", "up")
        with running(namespace, machine, tmp_path):
            _until(lambda: sent.search(_fetched(appliance)), appliance, LONG)


def _fetched(appliance: Daemon) -> str:
    """What the timelines say was fetched, read from a copy of the state."""
    with sqlite3.connect(f"file:{appliance.path}/state/store.db?mode=ro", uri=True) as db:
        return "\n".join(bytes(row[0]).decode() for row in db.execute("SELECT doc FROM events"))


def _until(look: Any, appliance: Daemon, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, _fetched(appliance)[-2000:] + appliance.words()[-2000:]
        time.sleep(0.5)
