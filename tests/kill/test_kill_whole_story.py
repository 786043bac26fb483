"""Nobody is killed: deploy, stop, start, re-deploy, release, with everything real but the firmware."""

import pytest
from kill_disk import ROOT_UUID
from kill_machine import Phase
from kill_world import World

pytestmark = pytest.mark.root
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHfake user@desk"


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_deploy_stop_start_redeploy_and_release(world: World, firmware: str) -> None:
    machine = world.idle_machine(firmware)
    name = world.active(machine, ssh_keys=[KEY])
    assert machine.actions[-1] == {"action": "kexec"}
    assert machine.disk.root_fsuuid == ROOT_UUID
    assert machine.disk.text("/etc/hostname").strip() == name
    (shown,) = (k for k in world.user.get(f"/deployments/{name}")["host_keys"] if k.startswith("ssh-ed25519"))
    assert shown in machine.disk.text("/etc/ssh/ssh_host_ed25519_key.pub")
    machine.disk.put("/root/marker", "my data")

    world.user.act(name, "stop")
    world.reach(machine, "stopped")
    assert machine.phase is Phase.STACK
    world.user.act(name, "start")
    world.reach(machine, "active")
    assert machine.disk.text("/root/marker") == "my data"

    world.user.act(name, "redeploy")
    world.reach(machine, "deploying")
    world.reach(machine, "active")
    assert machine.disk.text("/root/marker") == ""

    world.user.act(name, "release")
    world.reach(machine, "idle")
    assert machine.disk.root_fsuuid == ROOT_UUID, "a release without wiping leaves the disk alone"
    assert world.user.get(f"/deployments/{name}")["machine"] is None
    world.user.call("DELETE", f"/deployments/{name}")
