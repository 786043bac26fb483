"""Changes of the appliance's network with the real systemd-networkd: tried, kept, taken back, with everybody dead."""

import socket
import subprocess
from collections.abc import Iterator

import pytest

from appliance.privileged.verbs.network import Apply, Confirm
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
    layout, link = net.changes()[kind]
    net.helper(Apply(layout))
    net.until(lambda: link in net.links(), f"{link} is there")
    net.until(
        lambda: net.addresses(link) not in (set(), {net.OURS}) or kind in ("bridge", "bond", "all"), f"{kind} is on"
    )
    if kind in ("bridge", "bond", "all"):
        net.until(lambda: net.addresses(link) == {net.OURS}, f"{link} has the address")
        net.until(lambda: net.reaches(net.OURS), f"{link} is reached")


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


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["address", "all"])
def test_a_power_cut_takes_back_what_was_not_confirmed(guest: Guest, kind: str) -> None:
    there = f"until [ -b {DISK} ]; do sleep 0.1; done"
    begin = f"{there}; mkdir -p /state; mount {DISK} /state; cd /qrm; python3 -m tests.guest.inside.own_network begin"
    guest.run(f"{there}; mkfs.ext4 -q {DISK}; {begin}", seconds=300)
    guest.run(f"cd /qrm && python3 -m tests.guest.inside.own_network apply {kind}", seconds=300)
    guest.power_cut()
    guest.run(begin, seconds=300)
    found = guest.run("cd /qrm && python3 -m tests.guest.inside.own_network state", seconds=300).stdout
    assert '"trying": false' in found
    assert '"fixed": true' in found
    assert "restarted" in found
    guest.power_cut()
