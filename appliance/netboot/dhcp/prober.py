"""Conflict probes in one subnet, many at a time (RFC 5227)."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

from appliance.netboot.dhcp.effects import Probe

QUESTIONS = 3
INTERVAL_SECONDS = 0.1

Report = Callable[[str, IPv4Address, bool], None]
"""Called with interface, address, and whether somebody uses it; once per probe."""


class Asker(Protocol):
    """How to ask who uses an address: by ARP on an interface, or by ICMP behind relays."""

    interface: str
    """What the subnet is called."""

    def send_probe(self, address: IPv4Address) -> None:
        """Ask."""

    def probe_answers(self) -> Iterator[tuple[str, IPv4Address]]:
        """MAC address, empty where it cannot be known, and address of who answered since the last call."""


@dataclass(slots=True)
class Running:
    """A probe that waits for an answer."""

    client: str
    questions_left: int
    timer: asyncio.TimerHandle | None = None


class Prober:
    """Asks three times within 0.3 s; silence means free."""

    def __init__(self, asker: Asker, report: Report) -> None:
        self._asker = asker
        self._report = report
        self._running: dict[IPv4Address, Running] = {}

    def start(self, probe: Probe) -> None:
        """Look whether somebody else than the client uses the address."""
        if probe.address not in self._running:
            self._running[probe.address] = Running(probe.mac, QUESTIONS)
            self._ask(probe.address)

    def _ask(self, address: IPv4Address) -> None:
        running = self._running[address]
        if running.questions_left == 0:
            self._finish(address, in_use=False)
            return
        running.questions_left -= 1
        self._asker.send_probe(address)
        running.timer = asyncio.get_running_loop().call_later(INTERVAL_SECONDS, self._ask, address)

    def read(self) -> None:
        """Take in what was answered."""
        for mac, address in self._asker.probe_answers():
            running = self._running.get(address)
            if running is not None and mac != running.client:
                self._finish(address, in_use=True)

    def _finish(self, address: IPv4Address, *, in_use: bool) -> None:
        running = self._running.pop(address)
        if running.timer is not None:
            running.timer.cancel()
        self._report(self._asker.interface, address, in_use)

    def close(self) -> None:
        """Stop asking; nothing more is reported."""
        for running in self._running.values():
            if running.timer is not None:
                running.timer.cancel()
        self._running.clear()
