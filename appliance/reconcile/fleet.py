"""The fleet as the netboot servers see it: boots, agents and residents behind one protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.about import identified
from appliance.netboot.fleet import Activity, Boot, Command, Neighbour, Redemption, Report, Welcome, Work
from appliance.netboot.policy import BootRequest
from appliance.reconcile.agents import Agents
from appliance.reconcile.boot_messages import MachineMessages
from appliance.reconcile.boot_programs import BootPrograms
from appliance.reconcile.boots import Boots, Crowded
from appliance.reconcile.neighbours import MachineNeighbours
from appliance.reconcile.polls import Polls
from appliance.reconcile.residents import Residents
from appliance.reconcile.roots import Roots
from appliance.reconcile.watch import Watch


@dataclass(frozen=True, slots=True)
class StoredFleet:
    """Implements ``netboot.fleet.Fleet`` over the store; the daemon builds it."""

    boots: Boots
    agents: Agents
    residents: Residents
    roots: Roots
    messages: MachineMessages
    neighbours: MachineNeighbours
    polls: Polls
    watch: Watch | None = None
    """Is told how far machines come; None in tests."""
    programs: BootPrograms | None = None
    """Is told whose boot program runs; None in tests."""

    async def boot(self, request: BootRequest) -> Boot:
        """See ``Boots.boot``."""
        if self.programs is not None and request.proven:
            self.programs.script(request.mac)
        try:
            boot = await self.boots.boot(request)
        except Crowded:
            if self.watch is not None:
                self.watch.script(request, None)
            raise
        if self.watch is not None:
            self.watch.script(request, boot.spec)
        return boot

    async def poll(self, poll: str) -> bool:
        """See ``Polls.wait``."""
        return await self.polls.wait(poll)

    async def redeem(self, redemption: Redemption, address: str) -> Welcome:
        """See ``Agents.redeem``."""
        welcome = await self.agents.redeem(redemption, address)
        identified(welcome.machine)
        if self.watch is not None:
            self.watch.agent(redemption.mac)
        return welcome

    async def take_inventory(self, token: str, inventory: dict[str, Any]) -> tuple[str, str]:
        """See ``Agents.take_inventory``."""
        return await self.agents.take_inventory(token, inventory)

    async def boot_messages(self, token: str, text: str) -> None:
        """See ``MachineMessages.of_stack``."""
        await self.messages.of_stack(token, text)

    async def take_neighbours(self, token: str, heard: Sequence[Neighbour]) -> None:
        """See ``MachineNeighbours.take``."""
        await self.neighbours.take(token, heard)

    async def work(self, token: str, server: str) -> Work | None:
        """See ``Agents.work``."""
        return await self.agents.work(token, server)

    async def state(self, token: str) -> str:
        """See ``Agents.state``."""
        return await self.agents.state(token)

    async def report(self, token: str, report: Report) -> bool:
        """See ``Agents.report``."""
        return await self.agents.report(token, report)

    async def root(self, redemption: Redemption, address: str, server: str) -> dict[str, Any]:
        """See ``Roots.root``."""
        return await self.roots.root(redemption, address, server)

    async def take_layer(self, token: str, attempt: str, content: str) -> None:
        """See ``Roots.take_layer``."""
        await self.roots.take_layer(token, attempt, content)

    async def image(self, token: str, image: int) -> Path:
        """See ``Agents.image``."""
        return await self.agents.image(token, image)

    async def kernel(self, address: str, name: str) -> Path:
        """See ``Roots.kernel``."""
        return await self.roots.kernel(address, name)

    async def resident_active(self, token: str, activity: Activity) -> None:
        """See ``Residents.active``."""
        await self.residents.active(token, activity)

    async def resident_wait(self, token: str, boot_id: str) -> Command:
        """See ``Residents.wait``."""
        return await self.residents.wait(token, boot_id)

    async def resident_report(self, token: str, attempt: str, status: str, message: str) -> None:
        """See ``Residents.report``."""
        await self.residents.report(token, attempt, status, message)

    async def resident_boot_messages(self, token: str, boot_id: str, text: str) -> None:
        """See ``MachineMessages.of_system``."""
        await self.messages.of_system(token, boot_id, text)
