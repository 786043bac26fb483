"""A hall that asks for more than the server can answer gets as much as it can answer, not less."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface
from itertools import count

import pytest
from dhcp_playbook import SERVER, SUBNET, Playbook, kind_of, message

from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import Packet
from appliance.netboot.dhcp.subnet import AddressRange
from appliance.netboot.dhcp.triage import AT_ONCE, Triage, claimed_mac

HALL = replace(
    SUBNET,
    address=IPv4Interface("10.77.0.1/16"),
    ranges=(AddressRange(IPv4Address("10.77.1.0"), IPv4Address("10.77.255.250")),),
)
TURNS, TURN_SECONDS = 100, 0.004
MOST = TURNS * AT_ONCE // 2
"""Exchanges that can be finished in so many turns, since each takes two datagrams."""


def new_machines() -> Iterator[str]:
    return (f"52:54:{number.to_bytes(4, 'big').hex(':')}" for number in count(1))


@dataclass
class Hall:
    """Machines that each ask once, and take what they are offered with the next turn."""

    play: Playbook = field(default_factory=lambda: Playbook(HALL))
    triage: Triage[bytes] = field(default_factory=Triage)
    machines: Iterator[str] = field(default_factory=new_machines)
    coming: list[bytes] = field(default_factory=list)
    finished: int = 0

    def turn(self, asking: int) -> None:
        """So many more machines are switched on; the server answers what it can in this time."""
        asked = [message(MessageKind.DISCOVER, next(self.machines)) for _ in range(asking)]
        came, self.coming = self.coming + asked, []
        self.triage.put(came, lambda data: self.play.responder.is_familiar(claimed_mac(data), self.play.now))
        for data in self.triage.take():
            for answer in self.play.receive(data):
                self._take(answer)
        self.play.pass_time(TURN_SECONDS)

    def _take(self, answer: Packet) -> None:
        if kind_of(answer) is MessageKind.ACK:
            self.finished += 1
            return
        options = {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: answer.yiaddr.packed}
        self.coming.append(message(MessageKind.REQUEST, answer.chaddr.hex(":"), options=options))


@pytest.mark.parametrize("percent", [90, 150, 400])
def test_what_is_too_much_costs_none_of_what_can_be_done(percent: int) -> None:
    """An offer whose REQUEST finds no room was made for nothing: who was offered an address goes first."""
    hall = Hall()
    for _ in range(TURNS):
        hall.turn(AT_ONCE * percent // 200)
    assert hall.finished >= 0.95 * MOST * min(percent, 100) / 100
