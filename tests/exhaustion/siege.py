"""A real daemon under the flood, and a real machine that boots again and again meanwhile."""

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.daemon_namespace import REPOSITORY, Daemon, Namespace

MAC = "52:54:00:00:00:01"
FLOODED = "flood1"
LARGE = 32 << 20
"""Bytes of the file that the slow readers ask for."""
BOOT_SECONDS = 90
"""A machine that is not through after so long would have gone to its next boot entry."""
LEASE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip address flush dev "$interface"
ip address add "$ip/24" dev "$interface"
"""
# Firmware asks for no timeout (RFC 2349) either: curl would ask for five seconds, and the server has to obey.
BOOT = """
set -e
timeout 90 udhcpc -i port1 -s {script} -f -q -t 4 -T 1 -A 1 >&2
curl -sS --max-time 60 --tftp-no-options -o /dev/null tftp://10.77.0.1/undionly.kpxe
curl -sS --max-time 60 --retry 5 --retry-all-errors -o /dev/null http://10.77.0.1/boot/undionly.kpxe
curl -sS --max-time 60 --retry 5 --retry-all-errors 'http://10.77.0.1/boot/script?mac=52-54-00-00-00-01&platform=pcbios'
"""


@dataclass(frozen=True)
class Siege:
    """What came of it."""

    machines: int
    """Made-up MAC addresses whose DISCOVER was sent."""
    seconds: float
    heard: int
    """Datagrams of all kinds that the daemon read."""
    transfers: int
    questions: int
    readers: int
    boots: tuple[float, ...]
    """Seconds that each boot of the real machine took meanwhile."""
    before: int
    """Bytes of memory of the daemon at rest."""
    most: int
    """Bytes of it at the worst moment."""
    after: int

    def words(self) -> str:
        """For people."""
        sent = f"{self.machines:,} made-up machines, {self.transfers:,} TFTP requests, {self.questions:,} questions"
        heard = f"{self.heard:,} datagrams heard, {self.readers} slow readers"
        booted = f"{len(self.boots)} real boots, the slowest {max(self.boots):.1f} s"
        memory = "/".join(f"{each / 1e6:.0f}" for each in (self.before, self.most, self.after))
        return f"{sent} in {self.seconds:.0f} s, {heard}: {booted}; memory before/most/after {memory} MB"


class Machine:
    """A card of its own on the appliance's bridge."""

    def __init__(self, namespace: Namespace, directory: Path) -> None:
        script = directory / "take-lease"
        script.write_text(LEASE)
        script.chmod(0o755)
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._holder = namespace.popen("unshare", "--net", "sh", "-c", "echo $$; exec cat", **pipes)
        assert self._holder.stdout is not None
        pid = self._holder.stdout.readline().strip()
        namespace.run("ip", "link", "set", "port1", "address", MAC, "netns", pid)
        self._boot = namespace.inside("nsenter", "--target", pid, "--net", "sh", "-c", BOOT.format(script=script))
        namespace.run("nsenter", "--target", pid, "--net", "ip", "link", "set", "port1", "up")

    def boot(self) -> float:
        """Address, boot program by TFTP and by HTTP, script; the seconds that took. Raises AssertionError."""
        began = time.monotonic()
        done = subprocess.run(self._boot, capture_output=True, text=True, timeout=4 * BOOT_SECONDS, check=False)
        assert done.returncode == 0, f"the real machine does not boot: {done.stderr[-2000:]}"
        assert "#!ipxe" in done.stdout, done.stdout
        return time.monotonic() - began

    def close(self) -> None:
        """The card is gone."""
        self._holder.communicate()


@contextmanager
def besieged(directory: Path) -> Iterator[tuple[Namespace, Daemon, Machine]]:
    """A network with a second port, a daemon with a large file, and the real machine."""
    namespace = Namespace()
    try:
        namespace.run("ip", "link", "add", "flood0", "type", "veth", "peer", "name", FLOODED)
        for words in (("flood0", "master", "br0"), ("flood0", "up"), (FLOODED, "up")):
            namespace.run("ip", "link", "set", *words)
        daemon = Daemon(namespace, directory / "one")
        with (directory / "one/stack/initrd").open("r+b") as large:
            large.truncate(LARGE)
        daemon.start()
        machine = Machine(namespace, directory)
        try:
            yield namespace, daemon, machine
        finally:
            machine.close()
            daemon.process.kill()
            daemon.process.wait()
    finally:
        namespace.close()


def besiege(directory: Path, machines: int, rate: float, least_boots: int = 3) -> Siege:
    """So many made-up machines, at most so many a second; the real one boots all the while. Raises AssertionError."""
    with besieged(directory) as (namespace, daemon, machine):
        machine.boot()
        watched = psutil.Process(daemon.process.pid)
        before, most, boots = watched.memory_info().rss, 0, []
        with _flood(namespace, machines, rate) as flood:
            ended = ""
            while not ended or len(boots) < least_boots:
                boots.append(machine.boot())
                most = max(most, watched.memory_info().rss)
                ended = ended or _line(flood)
        boots.append(machine.boot())
        sent = ended.split()
        return Siege(
            machines=int(sent[1]),
            seconds=float(sent[0]),
            heard=_heard(namespace),
            transfers=int(sent[2]),
            questions=int(sent[3]),
            readers=int(sent[5]),
            boots=tuple(boots),
            before=before,
            most=max(most, watched.memory_info().rss),
            after=watched.memory_info().rss,
        )


@contextmanager
def _flood(namespace: Namespace, machines: int, rate: float) -> "Iterator[subprocess.Popen[bytes]]":
    _, paths = namespace.curl("http://10.77.0.1/boot/stack.json")
    found = re.search(r'"initrd": "([^"]+)"', paths)
    assert found, paths
    server = json.loads(namespace.run("ip", "-json", "link", "show", "br0"))[0]["address"]
    program = Path(__file__).with_name("flood.py")
    argv = [sys.executable, program, FLOODED, machines, rate, found[1], server]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    flood = namespace.popen(*argv, cwd=REPOSITORY, env=environment, **pipes)
    try:
        assert flood.stdout is not None
        assert flood.stdout.readline() == b"begun\n"
        yield flood
    finally:
        flood.kill()
        flood.communicate()


def _line(flood: "subprocess.Popen[bytes]") -> str:
    """What the flood says at its end; empty while it goes on."""
    assert flood.stdout is not None
    ready, _, _ = select.select([flood.stdout], [], [], 0)
    return flood.stdout.readline().decode() if ready else ""


def _heard(namespace: Namespace) -> int:
    """UDP datagrams that were read from sockets of this network: the kernel counts them."""
    lines = namespace.run("cat", "/proc/net/snmp").splitlines()
    udp = [line.split() for line in lines if line.startswith("Udp:")]
    return int(dict(zip(udp[0][1:], udp[1][1:], strict=True))["InDatagrams"])
