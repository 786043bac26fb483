"""What a seed left for the daemon is in force in the very first run, before anybody is served."""

import signal

import pytest
from test_daemon_modes import sockets, subnet, switch
from test_daemon_reservations import Administrator

from appliance.setup import left
from appliance.setup.value import Management, Provisioning, SetUp


def leave(daemon, mode, unknown):
    served = Provisioning("br0", "10.77.0.1/24", dhcp=mode, unknown_machines=unknown)
    left.leave(SetUp(Management("nic0"), provisioning=served), daemon.path / "state", (-1, -1))


@pytest.mark.parametrize(("mode", "ports"), [("off", set()), ("proxy", {67, 4011})])
def test_the_first_run_serves_as_the_seed_says(daemon, mode, ports):
    leave(daemon, mode, "ignore")
    daemon.start()
    assert sockets(daemon) == ports
    admin = Administrator(daemon)
    found = subnet(admin)
    assert (found["mode"], found["unknown_machines"]) == (mode, "ignore")
    switch(admin, unknown_machines="local-disk", confirm="br0")
    assert daemon.end(signal.SIGTERM) == 0, daemon.words()
    daemon.start()
    found = subnet(admin)
    assert (found["mode"], found["unknown_machines"]) == (mode, "local-disk"), "a switch changes what it names, no more"
    assert sockets(daemon) == ports
