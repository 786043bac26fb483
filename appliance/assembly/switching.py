"""What makes a subnet be served in another way at run time, and what holds service back."""

import asyncio
import logging
from dataclasses import replace

from appliance.assembly.ground import Ground
from appliance.netboot.dhcp.facts import Fact
from appliance.netboot.dhcp.lookout import Lookout
from appliance.netboot.dhcp.served import ServedSubnets
from appliance.netboot.dhcp.server import DhcpServer
from appliance.reconcile.link_watch import LinkWatch
from appliance.reconcile.observations import Observations
from appliance.reconcile.subnet_standing import Standing, standing
from appliance.reconcile.subnet_switches import SubnetSwitches
from appliance.reconcile.surviving import Surviving
from appliance.store import subnet_rules

log = logging.getLogger(__name__)

STORE_SECONDS = 10.0


async def lookout(ground: Ground, dhcp: DhcpServer, observations: Observations) -> Lookout:
    """Service is held back by it from now on, except where it went on until a moment ago."""

    async def remember(interface: str, at: float) -> None:
        with Surviving(log, f"a restart will look for other DHCP servers on {interface} before it serves"):
            async with asyncio.timeout(STORE_SECONDS):  # a disk that is stuck stops no look
                await ground.store.write(lambda db: subnet_rules.note_served(db, interface, at))

    def tell(fact: Fact) -> None:
        observations.dhcp(fact)

    made = Lookout(ground.subnets, dhcp.hold, tell, remember, ground.clock)
    made.go_on(await ground.store.read(subnet_rules.served))
    return made


class Standings:
    """How service stands, by interface."""

    def __init__(self, switches: SubnetSwitches, out: Lookout, subnets: ServedSubnets, links: LinkWatch) -> None:
        self._switches, self._out, self._subnets, self._links = switches, out, subnets, links

    def __call__(self, interface: str) -> Standing:
        """How it stands on this one now."""
        known = standing(self._switches.fixed(interface), self._out.on(interface))
        subnet = self._subnets.on(interface)
        card = subnet.heard_on if subnet is not None else interface
        return replace(known, linked=self._links.linked(card), link_trouble=self._links.trouble(card))
