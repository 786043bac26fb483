"""Looks for other DHCP servers before authoritative service begins, and as long as it goes on."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Address

from appliance.netboot.dhcp.facts import Fact, ForeignReply, ServiceBegins, ServiceHeld
from appliance.netboot.dhcp.foreign import discover_frame, giving_server, throw_away_mac
from appliance.netboot.dhcp.outlook import Outlook
from appliance.netboot.dhcp.reply import CLIENT_PORT
from appliance.netboot.dhcp.served import ServedSubnets
from appliance.netboot.dhcp.sieve import frames, own_address, udp_socket
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.quiet import Quiet

log = logging.getLogger(__name__)

PAUSES = (1.5, 3.5)
"""Seconds after each question of a look: dnsmasq waits three for a ping before it offers an address."""

COMPLAINT_SECONDS = 600.0
"""Between two lines of the log about an interface that cannot be looked at: it may be down for weeks."""

Hold = Callable[[str, bool], None]
Remember = Callable[[str, float], Awaitable[None]]
"""Stores when authoritative service was last known to go on, by interface; 0 when it does not."""


class Lookout:
    """Looks on every subnet with authoritative service on an interface of ours."""

    def __init__(
        self,
        subnets: ServedSubnets,
        hold: Hold,
        publish: Callable[[Fact], None],
        remember: Remember,
        clock: Callable[[], float],
    ) -> None:
        """`hold` is told whether service is held back on an interface, from now on and whenever it changes."""
        self._subnets, self._hold, self._publish = subnets, hold, publish
        self._remember, self._clock = remember, clock
        self._outlooks = {subnet.interface: Outlook(subnet) for subnet in subnets}
        self._mac = throw_away_mac(os.urandom(5))  # the same in each look: others hold back one address for it
        self._wake = asyncio.Event()
        self._blind = {subnet.interface: Quiet(COMPLAINT_SECONDS) for subnet in subnets}

    def go_on(self, served: Mapping[str, float]) -> None:
        """Begin where service went on until a moment ago, by interface; hold it back everywhere else."""
        for interface, outlook in self._outlooks.items():
            outlook.go_on(served.get(interface, 0.0), self._clock())
            self._hold(interface, outlook.held)

    def on(self, interface: str) -> Outlook:
        """How things stand on one interface."""
        return self._outlooks[interface]

    def switch(self, subnet: Subnet) -> None:
        """The subnet is served under other rules from now on."""
        outlook = self._outlooks[subnet.interface]
        outlook.switch(subnet)
        self._hold(subnet.interface, outlook.held)
        self._wake.set()

    def look(self, interface: str) -> None:
        """Look as soon as possible, where there is anything to look for."""
        self._outlooks[interface].soon = self._clock()
        self._wake.set()

    def suspect(self, interface: str) -> None:
        """Somebody was heard there who may be another server; anybody can make that up, so it only makes us look."""
        outlook = self._outlooks.get(interface)
        if outlook is not None and outlook.suspect(self._clock()):
            self._wake.set()

    async def run(self) -> None:
        """Look when it is time, until cancelled."""
        while True:
            self._wake.clear()
            now = self._clock()
            due = [each for each in self._outlooks.values() if each.is_due(now)]
            async with asyncio.TaskGroup() as looks:
                for each in due:
                    looks.create_task(self._look(each), name=f"look for DHCP on {each.subnet.interface}")
            if not due:
                times = [at for each in self._outlooks.values() if (at := each.next_look()) is not None]
                await self._wait(min(times, default=None))

    async def _wait(self, until: float | None) -> None:
        try:
            async with asyncio.timeout(None if until is None else max(0.0, until - self._clock())):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _look(self, outlook: Outlook) -> None:
        interface = outlook.subnet.interface
        try:
            seen = await giving(interface, self._mac)
        except OSError as error:
            if self._blind[interface].count(self._clock()):
                log.warning("looking for other DHCP servers on %s: %s", interface, error)
            outlook.blind(self._clock())
            return
        now, seen = self._clock(), seen - {subnet.address.ip for subnet in self._subnets}
        news = outlook.seen(seen, now)
        self._hold(interface, outlook.held)
        for server in seen:
            self._publish(ForeignReply(server, interface, now))
        if news:
            held = ServiceHeld(interface, outlook.servers, now)
            self._publish(held if news == "held" else ServiceBegins(interface, now))
        if outlook.guarded:
            await self._remember(interface, 0.0 if outlook.held else now)


async def giving(interface: str, mac: str) -> set[IPv4Address]:
    """Who gives addresses on the wire while this lasts, to a computer that does not exist or to any other.

    `mac` is the hardware address of that computer. It takes five seconds; raises OSError where nobody can look.
    """
    loop = asyncio.get_running_loop()
    with udp_socket(interface, CLIENT_PORT) as opened:
        ears = Ears(opened)
        loop.add_reader(opened, ears.read)
        try:
            for pause in PAUSES:
                opened.send(discover_frame(own_address(opened), mac, secrets.randbits(32)))
                await asyncio.sleep(pause)
        finally:
            loop.remove_reader(opened)
    if ears.failed is not None:
        raise ears.failed
    return ears.heard


class Ears:
    """Takes in what comes to one socket during a look."""

    def __init__(self, opened: socket.socket) -> None:
        self._opened = opened
        self.heard: set[IPv4Address] = set()
        """Servers that gave an address."""
        self.failed: OSError | None = None
        """Why something may have been missed."""

    def read(self) -> None:
        """Something came in."""
        try:
            found = [giving_server(frame) for frame in frames(self._opened)]
        except OSError as error:
            self.failed = error
            return
        self.heard |= {server for server in found if server is not None}
