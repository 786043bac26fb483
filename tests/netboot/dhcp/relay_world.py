"""A router with relays that others wrote between our server and real clients. Run as a program inside `unshare`.

Usage: relay_world.py SCENARIO DIRECTORY. Exits 0 if the scenario went as it should.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

from dhcp_world import ENVIRONMENT, Client, Server, Switch, run

HERE = Path(__file__).parent
SCRIPT = """#!/bin/sh
case "$1" in
bound|renew)
    ip address replace "$ip/24" dev eth0
    ip route replace default via "$router"
    echo "$1 $ip $router $dns" >> "$OUT" ;;
deconfig) ip address flush dev eth0 ;;
esac
exit 0
"""


class RelayedServer(Server):
    """Our server with two subnets."""

    def __init__(self) -> None:
        self.program = [sys.executable, str(HERE / "relay_process.py")]
        self._process = subprocess.Popen(self.program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for("ready")


class Router(Client):
    """10.77.0.254 on the switch, 10.78.0.1 on its own bridge `lan`; forwards between the two."""

    def _connect(self, port: str) -> None:
        super()._connect(port)
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "address", "add", "10.77.0.254/24", "dev", "eth0")
        self.inside("ip", "link", "add", "lan", "type", "bridge")
        self.inside("ip", "address", "add", "10.78.0.1/24", "dev", "lan")
        self.inside("ip", "link", "set", "lan", "up")
        self.inside("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        run("ip", "route", "add", "10.78.0.0/24", "via", "10.77.0.254")

    @property
    def pid(self) -> str:
        """Of the process that holds its namespace."""
        return str(self._holder.pid)


class Remote(Client):
    """A network namespace with one card on the router's bridge."""

    def __init__(self, number: int, directory: Path, router: Router) -> None:
        self._router = router
        super().__init__(number, directory)
        self._configure = directory / "configure"
        self._configure.write_text(SCRIPT)
        self._configure.chmod(0o755)

    def _connect(self, port: str) -> None:
        ends = ["type", "veth", "peer", "name", "eth0", "address", self.mac, "netns", str(self._holder.pid)]
        run("ip", "link", "add", port, "netns", self._router.pid, *ends)
        self._router.inside("ip", "link", "set", port, "master", "lan", "up")
        self.inside("ip", "link", "set", "eth0", "up")

    def lives(self) -> list[str]:
        """Obtain a lease with busybox's client and use its address."""
        self.inside("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "8", "-s", str(self._configure))
        return self._last()

    def goes_on(self) -> "subprocess.Popen[bytes]":
        """The same with a client that goes on; signals have it renew (USR1) and release (USR2)."""
        argv = ["nsenter", "-t", str(self._holder.pid), "-n", "udhcpc", "-i", "eth0", "-f", "-s", str(self._configure)]
        process = subprocess.Popen(argv, env=ENVIRONMENT | {"OUT": str(self._out)}, stderr=subprocess.DEVNULL)
        self.until("bound")
        return process

    def until(self, word: str) -> None:
        """Wait until the client's script was last called for this."""
        end = time.monotonic() + 60
        while not self._out.exists() or self._last()[0] != word:
            assert time.monotonic() < end, f"no {word}"
            time.sleep(0.05)


def _serve(directory: Path, *relay: str) -> tuple[RelayedServer, Router, Remote, Remote]:
    Switch()
    router = Router(9, directory)
    server = RelayedServer()
    router.start(*relay)
    return server, router, Remote(1, directory, router), Remote(2, directory, router)


def isc(directory: Path) -> None:
    """ISC's relay: answers reach clients through it, option 82 comes and goes, the port has its reserved address."""
    server, _, first, second = _serve(directory, "dhcrelay", "-4", "-d", "-a", "-id", "lan", "-iu", "eth0", "10.77.0.1")
    assert first.lives() == ["bound", "10.78.0.99", "10.78.0.1", "10.77.0.1"]
    assert server.wait_for("granted") == f"granted {first.mac} 10.78.0.99 10.78.0.1/lan"
    assert second.dhclient(directory / "second.leases")[:3] == ["10.78.0.50", "600", "10.78.0.1"]
    assert second.dhclient(directory / "second.leases")[0] == "10.78.0.50", "INIT-REBOOT"
    near = Client(3, directory)
    assert near.udhcpc()[0] == "10.77.0.50", "the subnet of the switch is served beside it"


def unicast(directory: Path) -> None:
    """A client renews and releases through the router, without the relay."""
    server, _, first, _ = _serve(directory, "dhcrelay", "-4", "-d", "-a", "-id", "lan", "-iu", "eth0", "10.77.0.1")
    client = first.goes_on()
    server.wait_for("granted")
    client.send_signal(signal.SIGUSR1)
    assert server.wait_for("granted") == f"granted {first.mac} 10.78.0.99 10.78.0.1/lan"
    first.until("renew")
    client.send_signal(signal.SIGUSR2)
    assert server.wait_for("ended") == "ended 10.78.0.99 released"


def link_selection(directory: Path) -> None:
    """ISC's relay with RFC 3527: its giaddr is on the switch, and the link that it names selects the subnet."""
    relay = ("dhcrelay", "-4", "-d", "-a", "-U", "eth0", "-id", "lan", "10.77.0.1")
    server, _, first, _ = _serve(directory, *relay)
    assert first.lives()[1] == "10.78.0.50"
    assert server.wait_for("granted") == f"granted {first.mac} 10.78.0.50 10.77.0.254/lan"


def dnsmasq(directory: Path) -> None:
    """dnsmasq's relay, which adds no option 82."""
    relay = ("dnsmasq", "-d", "-p", "0", "--dhcp-relay=10.78.0.1,10.77.0.1", "-i", "lan", "-i", "eth0")
    server, _, first, second = _serve(directory, *relay)
    assert first.lives() == ["bound", "10.78.0.50", "10.78.0.1", "10.77.0.1"]
    assert server.wait_for("granted") == f"granted {first.mac} 10.78.0.50 10.78.0.1"
    assert second.dhclient(directory / "second.leases")[0] == "10.78.0.51"


def moved(directory: Path) -> None:
    """A client that remembers an address of another subnet is refused through the relay, and asks anew at once."""
    _, _, first, _ = _serve(directory, "dhcrelay", "-4", "-d", "-a", "-id", "lan", "-iu", "eth0", "10.77.0.1")
    near, leases = Client(3, directory), directory / "moving.leases"
    assert near.dhclient(leases)[0] == "10.77.0.50"
    assert first.dhclient(leases)[0] == "10.78.0.99"


def conflict(directory: Path) -> None:
    """An address that a stranger uses behind the relay is found by ICMP and passed over."""
    relay = ("dnsmasq", "-d", "-p", "0", "--dhcp-relay=10.78.0.1,10.77.0.1", "-i", "lan", "-i", "eth0")
    server, _, stranger, client = _serve(directory, *relay)
    stranger.inside("ip", "address", "add", "10.78.0.50/24", "dev", "eth0")
    stranger.inside("ip", "route", "add", "default", "via", "10.78.0.1")
    assert client.lives()[1] == "10.78.0.51"
    assert server.wait_for("conflict") == "conflict 10.78.0.50"


SCENARIOS = {each.__name__: each for each in (isc, unicast, link_selection, dnsmasq, moved, conflict)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](Path(sys.argv[2]))
