"""A machine's whole story over a cable that loses one frame in twenty, doubles some and turns others round."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kill_daemon import REPOSITORY
from kill_disk import ROOT_UUID
from kill_network import GUARDED, ip
from kill_world import World

from tests.bad_network.test_bad_network import CABLE, OFFLOADS, PROGRAM, SEED

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(900)]
SECONDS = 250
"""For each way from one state to the next: the image has 28 MiB, and TCP slows down with each frame that is lost."""
SIDES = ("br0", "near0", "far0", "br1")


@contextmanager
def bad_cable(world: World) -> Iterator[None]:
    """Between the appliance's bridge and another one, br1."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with world.network.inside():
        for line in CABLE.strip().splitlines():
            ip(line)
        subprocess.run([sys.executable, "-c", OFFLOADS, *SIDES], env=environment, check=True)
        argv = [*GUARDED, sys.executable, str(PROGRAM), "near1", "far1", str(SEED)]
        cable = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE)
    try:
        assert cable.stdout is not None
        assert cable.stdout.readline() == b"carries\n"
        yield
    finally:
        cable.kill()
        cable.communicate()
        with world.network.inside():
            for link in ("near0", "far0", "br1"):
                ip(f"link delete {link}")


def test_it_comes_up_is_deployed_and_released(world: World) -> None:
    machine = world.new_machine()
    with bad_cable(world):
        with world.network.inside():
            ip(f"link set p{int(machine.mac[-5:].replace(':', ''), 16)} master br1")
        machine.power_on()
        world.reach(machine, "idle", seconds=SECONDS)
        world.user.patch(f"/machines/{world.id_of(machine)}", maintenance=False)
        name = world.deploy(machine)
        world.reach(machine, "active", seconds=SECONDS)
        assert machine.disk.root_fsuuid == ROOT_UUID, "the image came whole"
        world.user.act(name, "release")
        world.reach(machine, "idle", seconds=SECONDS)
        world.user.call("DELETE", f"/deployments/{name}")
