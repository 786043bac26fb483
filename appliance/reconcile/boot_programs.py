"""Which boot program an interface's firmware is sent: the user's choice, what its inventory tells, what failed before.

What did not start is kept in memory only: after a restart of the daemon the first program is tried again. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address
from typing import Protocol

from appliance.bootprogram import chosen
from appliance.netboot.dhcp.facts import DhcpSeen, Fact
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.firmware import Client, program_kind
from appliance.netboot.tftp.facts import TftpFact, TftpFinished
from appliance.reconcile import rounds
from appliance.reconcile.known import BootsWith
from appliance.reconcile.rounds import FRESH, Rounds

REMEMBERED = 4096
"""Interfaces whose rounds are kept at most; all are forgotten beyond that."""


class Tells(Protocol):
    """Stores an event about the machine of an interface, or about an interface that is nobody's."""

    def __call__(self, mac: str, kind: str, text: str, reason: str = "") -> None: ...


class BootPrograms:
    """Asked by the DHCP server, told by all servers; returns at once."""

    def __init__(
        self,
        boots_with: Callable[[str], BootsWith],
        holder: Callable[[IPv4Address], str | None],
        tell: Tells,
        clock: Callable[[], float],
        subnets: Sequence[Subnet],
    ) -> None:
        """``boots_with`` says what is known of an interface's machine; ``holder`` who was leased an address last;
        ``subnets`` how they are served now.
        """
        self._boots_with, self._holder, self._tell, self._clock = boots_with, holder, tell, clock
        self._subnets = subnets
        self._rounds: dict[str, Rounds] = {}
        self._asked: dict[str, tuple[Client, Subnet]] = {}
        """Whose firmware was sent a program last, by interface: others fetch one for reasons of their own."""
        self._elsewhere: dict[str, str] = {}
        """Interfaces by address where another server gives the addresses."""

    def choose(self, mac: str, client: Client, subnet: Subnet) -> str | None:
        """The program to send to firmware that asks; None for none. Is a ``netboot.firmware.ChooseProgram``."""
        now, known = self._clock(), self._boots_with(mac)
        before = self._rounds.get(mac, FRESH)
        after = rounds.asked_again(before, now)
        program = self._program(client, subnet, known, after)
        if after.last > before.last:
            after = self._tell_round(mac, known, after, program, now)
        if after != before:
            self._keep(mac, after)
        if rounds.is_stopped(after, known.choice, now):
            return None
        if len(self._asked) >= REMEMBERED and mac not in self._asked:
            self._asked.clear()
        self._asked[mac] = client, subnet
        return program

    def look(self) -> None:
        """Tell, once, of firmware that fetched its program and was not heard of since; to be called now and then."""
        now = self._clock()
        for mac, of in list(self._rounds.items()):
            if mac not in self._asked or not rounds.is_silent(of, now):
                continue
            known, (client, subnet) = self._boots_with(mac), self._asked[mac]
            following = self._program(client, subnet, known, replace(of, failed=(*of.failed, of.loaded)))
            self._keep(mac, replace(of, told=True))
            self._tell(mac, "program.silent", *rounds.silence_text(of, known.name or mac, following or of.loaded))

    def _program(self, client: Client, subnet: Subnet, known: BootsWith, of: Rounds) -> str | None:
        kind = program_kind(client.firmware)
        return chosen(kind, known.choice, known.secure_boot, subnet.boot_program, len(of.failed))

    def _tell_round(self, mac: str, known: BootsWith, of: Rounds, program: str | None, now: float) -> Rounds:
        """Tell of the round that has ended; the rounds as they count from here on."""
        name = known.name or mac
        if rounds.is_loop(of):
            self._tell(mac, "machine.looping", *rounds.loop_text(of, name, now))
            return rounds.stop(of, known.choice, now)
        if of.failed and not of.silent and program is not None and program != of.failed[-1]:
            self._tell(mac, "program.refused", *rounds.switch_text(of, name, program))
        return of

    def dhcp(self, fact: Fact) -> None:
        """A fact of the DHCP server."""
        if not isinstance(fact, DhcpSeen):
            return
        if fact.holds is not None and self._is_learnt(fact.holds, fact.interface):
            self._learn(str(fact.holds), fact.mac)
        if fact.is_ipxe and fact.mac in self._rounds:
            self._keep(fact.mac, rounds.started(self._rounds[fact.mac]))

    def tftp(self, fact: TftpFact) -> None:
        """A fact of a TFTP server."""
        if isinstance(fact, TftpFinished):
            self._loaded(fact.client, fact.name.lstrip("/"))

    def http(self, address: str, path: str) -> None:
        """A file went out by HTTP."""
        self._loaded(address, path.rpartition("/")[2])

    def whose(self, address: str) -> str | None:
        """The interface that has this address, from its first packet on; None for an address that nobody was given."""
        try:
            asked = IPv4Address(address)
        except AddressValueError:
            return None
        given_elsewhere = any(_is_given_elsewhere(asked, subnet) for subnet in self._subnets)
        return (self._elsewhere.get(address) if given_elsewhere else None) or self._holder(asked)

    def script(self, mac: str) -> None:
        """The machine fetched its boot script: whatever it loaded runs."""
        self._rounds.pop(mac, None)
        self._asked.pop(mac, None)

    def _loaded(self, address: str, program: str) -> None:
        mac = self.whose(address)
        if mac is None:
            return
        before = self._rounds.get(mac, FRESH)
        if (after := rounds.loaded(before, program, self._clock())) != before:
            self._keep(mac, after)

    def _is_learnt(self, address: IPv4Address, interface: str) -> bool:
        """Whether somebody is believed who says on this interface that it has this address."""
        return any(each.interface == interface and _is_given_elsewhere(address, each) for each in self._subnets)

    def _keep(self, mac: str, of: Rounds) -> None:
        if len(self._rounds) >= REMEMBERED and mac not in self._rounds:
            self._rounds.clear()
        self._rounds[mac] = of

    def _learn(self, address: str, mac: str) -> None:
        if len(self._elsewhere) >= REMEMBERED:
            self._elsewhere.clear()
        self._elsewhere[address] = mac


def _is_given_elsewhere(address: IPv4Address, subnet: Subnet) -> bool:
    """Whether another server gives this address of the subnet: of ours everybody can say that they have it."""
    return subnet.mode != "authoritative" and address in subnet.network
