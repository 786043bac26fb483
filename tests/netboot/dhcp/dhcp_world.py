"""A switch with real clients, in namespaces of its own. Run as a program inside `unshare`.

Usage: dhcp_world.py SCENARIO DIRECTORY [asyncio|uvloop]. Exits 0 if the scenario went as it should.
"""

import http.server
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
SCRIPT = """#!/bin/sh
[ "$1" = bound ] && echo "$ip $lease $router $dns $domain $subnet" >> "$OUT"
case "$reason" in BOUND|REBOOT) echo "$new_ip_address $new_dhcp_lease_time $new_routers" >> "$OUT" ;; esac
exit 0
"""


def run(*argv: str) -> str:
    """A program that must succeed."""
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


class Switch:
    """Bridge br0 with 10.77.0.1."""

    def __init__(self) -> None:
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "br0", "type", "bridge")
        run("ip", "address", "add", "10.77.0.1/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")


class Client:
    """A network namespace with one card on the switch."""

    def __init__(self, number: int, directory: Path) -> None:
        self.mac = f"52:54:00:00:0c:{number:02x}"
        self._out = directory / f"client{number}"
        self._script = directory / "script"
        self._script.write_text(SCRIPT)
        self._script.chmod(0o755)
        self._holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.write(b"\n")
        self._holder.stdin.flush()
        self._holder.stdout.readline()  # it answers from inside its namespace
        self._connect(f"port{number}")

    def _connect(self, port: str) -> None:
        pid = str(self._holder.pid)
        run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "address", self.mac, "netns", pid)
        run("ip", "link", "set", port, "master", "br0", "up")
        self.inside("ip", "link", "set", "eth0", "up")

    def inside(self, *argv: str) -> str:
        """Run a program in the namespace."""
        done = self.attempt(*argv)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program that may fail in the namespace."""
        environment = ENVIRONMENT | {"OUT": str(self._out)}
        command = ["nsenter", "-t", str(self._holder.pid), "-n", *argv]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def start(self, *argv: str) -> None:
        """Run a program in the namespace until the world ends."""
        command = ["nsenter", "-t", str(self._holder.pid), "-n", *argv]
        subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def _last(self) -> list[str]:
        return self._out.read_text().splitlines()[-1].split()

    def udhcpc(self, *options: str) -> list[str]:
        """Obtain a lease with busybox's client: address, seconds, router, DNS, domain, mask."""
        self.inside("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "8", "-s", str(self._script), *options)
        return self._last()

    def dhclient(self, leases: Path, *options: str) -> list[str]:
        """Obtain a lease with ISC's client: address, seconds, router."""
        files = ["-lf", str(leases), "-pf", str(leases) + ".pid", "-cf", "/dev/null"]
        self.inside(
            "dhclient", "-1", "-v", "-sf", str(self._script), "-e", f"OUT={self._out}", *files, *options, "eth0"
        )
        self.inside("dhclient", "-x", "-sf", "/bin/true", *files, "eth0")
        return self._last()


class Server:
    """Our server as a process."""

    def __init__(self, store: Path, loop: str, mode: str = "authoritative") -> None:
        self.program = [sys.executable, str(HERE / "dhcp_process.py"), str(store), loop, mode]
        self._process = subprocess.Popen(self.program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for("ready")

    def wait_for(self, start: str) -> str:
        """The next line that starts like this."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(start):
                return line.strip()
        raise AssertionError(f"the server ended before it said {start!r}")

    def ended(self) -> str:
        """Wait until it ends by itself, with an error; returns what it said."""
        said = self._process.communicate(timeout=30)[1]
        assert self._process.returncode != 0
        return said

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait()


def clients(directory: Path, loop: str) -> None:
    """Two independent clients obtain an address; the second card's is another one."""
    server = Server(directory / "leases", loop)
    first, second = Client(1, directory), Client(2, directory)
    assert first.udhcpc() == ["10.77.0.50", "600", "10.77.0.1", "10.77.0.1", "lab.test", "255.255.255.0"]
    assert first.udhcpc("-B")[0] == "10.77.0.50", "with the broadcast flag"
    assert second.dhclient(directory / "second.leases")[:3] == ["10.77.0.51", "600", "10.77.0.1"]
    assert second.dhclient(directory / "second.leases")[0] == "10.77.0.51", "INIT-REBOOT"
    server.wait_for(f"granted {second.mac} 10.77.0.51")
    assert second.udhcpc("-r", "10.77.0.57")[0] == "10.77.0.51", "its own, whatever it asks for"


def conflict(directory: Path, loop: str) -> None:
    """An address that a stranger uses is found by ARP and passed over."""
    server = Server(directory / "leases", loop)
    stranger, client = Client(1, directory), Client(2, directory)
    stranger.inside("ip", "address", "add", "10.77.0.50/24", "dev", "eth0")
    assert client.udhcpc()[0] == "10.77.0.51"
    assert server.wait_for("conflict") == "conflict 10.77.0.50"


def kill(directory: Path, loop: str) -> None:
    """After kill -9 and a restart everybody keeps what was acknowledged, and nobody else gets it."""
    store = directory / "leases"
    machines = [Client(number, directory) for number in range(1, 5)]
    held: dict[str, str] = {}
    for machine in machines:
        server = Server(store, loop)
        address = machine.udhcpc()[0]
        assert address not in held.values()
        held[machine.mac] = address
        server.kill()
    Server(store, loop)
    assert {machine.mac: machine.udhcpc()[0] for machine in machines} == held


def port_in_use(directory: Path, loop: str) -> None:
    """A second server on the same interface says so and ends."""
    Server(directory / "leases", loop)
    program = [sys.executable, str(HERE / "dhcp_process.py"), str(directory / "other"), loop, "authoritative"]
    second = subprocess.run(program, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode != 0
    assert "another program already answers DHCP on br0" in second.stderr, second.stderr


def stuck_disk(directory: Path, loop: str) -> None:
    """While no write returns, who has a lease keeps it; a newcomer is offered an address, never granted one."""
    store = directory / "leases"
    server = Server(store, loop)
    first, second = Client(1, directory), Client(2, directory)
    assert first.udhcpc()[0] == "10.77.0.50"
    store.with_suffix(".stuck").touch()
    refused = second.attempt("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "2", "-T", "1", "-s", "/bin/true")
    assert refused.returncode != 0
    assert "broadcasting select for 10.77.0.51" in refused.stderr, refused.stderr
    assert first.udhcpc()[0] == "10.77.0.50"
    server.kill()
    store.with_suffix(".stuck").unlink()
    Server(store, loop)
    assert second.udhcpc()[0] == "10.77.0.51"


def interface_gone(directory: Path, loop: str) -> None:
    """An interface that is removed ends the server with a reason, and one that is missing its start."""
    server = Server(directory / "leases", loop)
    run("ip", "link", "delete", "br0")
    assert "the interface br0 was removed" in server.ended()
    second = subprocess.run(server.program, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode != 0
    assert "there is no interface br0" in second.stderr, second.stderr


MACHINE = "12345678-9abc-def0-1122-334455667788"


def ipxe(directory: Path, loop: str) -> None:
    """QEMU's own iPXE ROM, years old, fetches the boot script with its settings filled in."""
    server = Server(directory / "leases", loop)
    assert _script_of_ipxe() == (
        f"/boot/script?mac=52-54-00-aa-bb-01&uuid={MACHINE}&serial=SN%201&platform=pcbios&product=Box&manufacturer=Acme&arch=i386"
    )
    assert server.wait_for("granted") == "granted 52:54:00:aa:bb:01 10.77.0.50 bios"


def ipxe_proxy(directory: Path, loop: str) -> None:
    """The same beside dnsmasq, which gives the address while we say what to boot."""
    Server(directory / "leases", loop, "proxy")
    other = Client(1, directory)
    other.inside("ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
    leases = directory / "dnsmasq.leases"
    # -d: dnsmasq neither forks nor changes its user, which a user namespace would not let it
    other.start("dnsmasq", "-d", "-p", "0", "-i", "eth0", "-F", "10.77.0.100,10.77.0.110", "-l", str(leases))
    assert _script_of_ipxe().startswith(f"/boot/script?mac=52-54-00-aa-bb-01&uuid={MACHINE}&")
    assert "52:54:00:aa:bb:01 10.77.0.1" in leases.read_text()


def _script_of_ipxe() -> str:
    """Boot a QEMU from its ROM; returns the first path that it fetches."""
    fetched = _boot_server()
    run("ip", "tuntap", "add", "tap0", "mode", "tap")
    run("ip", "link", "set", "tap0", "master", "br0", "up")
    qemu = subprocess.Popen(
        [
            *("qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-display", "none", "-boot", "n"),
            *("-uuid", MACHINE, "-smbios", "type=1,serial=SN 1,product=Box,manufacturer=Acme"),
            *("-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no"),
            *("-device", "e1000,netdev=net,mac=52:54:00:aa:bb:01"),
        ]
    )
    try:
        return fetched()
    finally:
        qemu.kill()
        qemu.wait()


def _boot_server() -> Callable[[], str]:
    """An HTTP server on the switch; returns a function that waits for the first path asked for."""
    paths: list[str] = []
    asked = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            asked.set()
            self.send_error(404)

    listening = http.server.ThreadingHTTPServer(("10.77.0.1", 80), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()

    def wait() -> str:
        assert asked.wait(60), "no boot script was asked for"
        return paths[0]

    return wait


SCENARIOS = {
    each.__name__: each for each in (clients, conflict, kill, port_in_use, stuck_disk, interface_gone, ipxe, ipxe_proxy)
}

if __name__ == "__main__":
    Switch()
    SCENARIOS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
