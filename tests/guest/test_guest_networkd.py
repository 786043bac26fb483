"""systemd-networkd in the guest: two cables in one bond, a VLAN on it, and somebody who answers there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.inside.programs import run

pytestmark = pytest.mark.guest
NETWORKS = Path("/etc/systemd/network")
OURS = {
    "bond.netdev": "[NetDev]\nName=bond0\nKind=bond\n[Bond]\nMode=active-backup\nMIIMonitorSec=100ms\n",
    "cables.network": "[Match]\nPermanentMACAddress=52:54:00:67:00:01 52:54:00:67:00:02\n[Network]\nBond=bond0\n",
    "bond.network": "[Match]\nName=bond0\n[Network]\nVLAN=storage\nLinkLocalAddressing=no\n",
    "vlan.netdev": "[NetDev]\nName=storage\nKind=vlan\n[VLAN]\nId=42\n",
    "vlan.network": "[Match]\nName=storage\n[Network]\nAddress=192.0.2.1/24\nLinkLocalAddressing=no\n",
}
OTHER = ["ip", "netns", "exec", "other"]


@pytest.fixture
def other() -> Iterator[None]:
    """A computer on the same hub, in VLAN 42."""
    run("ip", "netns", "add", "other")
    run("ip", "link", "set", "eth3", "netns", "other")
    run(*OTHER, "ip", "link", "set", "eth3", "up")
    run(*OTHER, "ip", "link", "add", "link", "eth3", "name", "vlan", "type", "vlan", "id", "42")
    run(*OTHER, "ip", "address", "add", "192.0.2.2/24", "dev", "vlan")
    run(*OTHER, "ip", "link", "set", "vlan", "up")
    yield
    run(*OTHER, "ip", "link", "set", "eth3", "netns", "1")
    run("ip", "netns", "delete", "other")


@pytest.fixture
def networks() -> Iterator[None]:
    """Our files, and networkd as they say."""
    for name, text in OURS.items():
        (NETWORKS / name).write_text(text)
    run("networkctl", "reload")
    yield
    for name in OURS:
        (NETWORKS / name).unlink()
    for device in ("storage", "bond0"):
        run("ip", "link", "delete", device)
    run("networkctl", "reload")


def test_a_vlan_on_a_bond_reaches_who_is_in_it(networks: None, other: None) -> None:
    run("/usr/lib/systemd/systemd-networkd-wait-online", "--interface=storage:routable", "--timeout=60")
    assert "bond" in run("ip", "-details", "link", "show", "bond0")
    run("ping", "-c", "1", "-w", "30", "192.0.2.2")
