"""Changes of the appliance's network with the real systemd-networkd: tried, kept, taken back, with everybody dead."""

import socket
import subprocess
from collections.abc import Iterator

import pytest

from appliance.networking.layout import Layout
from appliance.privileged.verbs.network import Admit, Admitted, Apply, Confirm
from tests.guest.inside import own_network as net
from tests.guest.outside.guest import Guest

KINDS = tuple(net.changes())
DISK = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_scratch0"


@pytest.fixture(scope="module")
def appliance() -> Iterator[None]:
    """Its network, begun."""
    net.begin()
    net.until(net.is_fixed, "the confirmed network")
    yield
    net.end()


def put_on(kind: str) -> None:
    """Apply a change, and see that it is on."""
    change = net.changes()[kind]
    net.helper(Apply(change.layout))
    net.until(change.is_on, f"{kind} is on")


@pytest.mark.guest
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_confirms_goes_back_by_itself_with_helper_and_daemon_dead(appliance: None, kind: str) -> None:
    put_on(kind)
    net.run("systemctl", "kill", "--signal=KILL", "appliance-helper.service", check=False)
    net.run("systemctl", "stop", "appliance-helper.socket", check=False)
    assert net.run("systemctl", "is-active", "appliance-network-revert.timer").strip() == "active"
    net.elapse()
    net.until(net.is_fixed, f"{kind} is taken back")
    net.run("systemctl", "start", "appliance-helper.socket")
    found = net.status()
    assert found.trial is None
    assert found.reverted is not None
    assert "nobody confirmed" in found.reverted.why


@pytest.mark.guest
@pytest.mark.timeout(600)
def test_a_bridge_around_the_way_here_keeps_address_and_sessions(appliance: None) -> None:
    """A connection that was there before goes on while the NIC is put under a bridge, and is taken out again."""
    with socket.create_server((net.OURS, 8443)) as listening:
        argv = ["ip", "netns", "exec", "other", "socat", "-", f"TCP:{net.OURS}:8443"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            assert client.stdin
            session, _ = listening.accept()
            with session:
                session.settimeout(120)
                put_on("bridge")
                client.stdin.write(b"over the bridge\n")
                client.stdin.flush()
                assert session.recv(100) == b"over the bridge\n"
                net.helper(Confirm())
                assert net.status().trial is None
                net.helper(Apply(net.FIXED))
                net.until(net.is_fixed, "the bridge is gone")
                net.helper(Confirm())
                client.stdin.write(b"and back\n")
                client.stdin.flush()
                assert session.recv(100) == b"and back\n"
            client.kill()


@pytest.mark.guest
@pytest.mark.timeout(600)
def test_a_card_that_comes_while_it_runs_has_its_name_and_place(appliance: None) -> None:
    net.helper(Apply(Layout(net.FIXED.interfaces[:2])))
    net.helper(Confirm())
    net.plug_out("nic2")
    net.plug_in()
    assert "nic2" not in net.links()
    assert net.helper(Admit()) == Admitted(net.FIXED.interfaces[2:])
    assert "nic2" in net.links()
    assert net.status().layout == net.FIXED
    assert "configured" in net.run("networkctl", "status", "nic2")
    assert net.is_fixed()
    assert net.helper(Admit()) == Admitted()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["address", "gateway", "nat", "all"])
def test_a_power_cut_takes_back_what_was_not_confirmed(guest: Guest, kind: str) -> None:
    there = f"until [ -b {DISK} ]; do sleep 0.1; done"
    begin = f"{there}; mkdir -p /state; mount {DISK} /state; cd /qrm; python3 -m tests.guest.inside.own_network begin"
    guest.run(f"{there}; mkfs.ext4 -q {DISK}; {begin}", seconds=300)
    guest.run(f"cd /qrm && python3 -m tests.guest.inside.own_network apply {kind}", seconds=300)
    guest.power_cut()
    guest.run(begin, seconds=300)
    found = guest.run("cd /qrm && python3 -m tests.guest.inside.own_network state", seconds=300).stdout
    assert '"trying": false' in found
    assert "restarted" in found
    guest.power_cut()
