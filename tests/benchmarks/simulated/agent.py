"""The agent, from the kernel's command line to the poll in which an idle machine waits.

What it waits for, how long, and when it asks again are the real one's own numbers (`appliance.agent`).
"""

import asyncio
import json
import secrets
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from appliance.agent import control, poll, trust
from appliance.agent.commandline import Boot
from appliance.agent.neighbours import listen
from appliance.agent.pauses import growing
from appliance.machine import MacAddress
from tests.benchmarks.simulated.http import Failed, Line, Unanswered, get, judged
from tests.benchmarks.simulated.inventory import MESSAGES, inventory_of

PUBLIC_SECONDS = 10.0
"""How long the agent waits for the authority and the time (`plainhttp.get_good`)."""
LIVE_SECONDS = 5.0
"""How long it waits first after what ends a life of it (`main.run_for_ever`)."""

_context = cache(trust.context)
"""One for all of them: to make it is the computers' work, of which each has one processor to do it."""


@dataclass(slots=True)
class Agent:
    """`again` counts what was asked again, and polls by their answers."""

    number: int
    mac: MacAddress
    uuid: str
    address: str
    boot: Boot
    again: Counter[str]
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    poll: str = ""
    authority: str = ""
    control: Line | None = None

    async def become_idle(self) -> None:
        """Until there is nothing to do; raises Failed where the appliance refuses, or has something."""
        for pause in growing(first=LIVE_SECONDS):
            try:
                self.authority = await self._trusted()
                break
            except Unanswered:
                self.again["public"] += 1
                await asyncio.sleep(pause)
        self.control = self._line()
        await self._tell()
        if await self._insist("GET", "work"):
            raise Failed(f"{self.mac} is given work")
        self.close()

    async def stay(self) -> None:
        """Wait for work, and hear the neighbours meanwhile, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear_neighbours())
            line = Line(self.address, self.boot.server, poll.TIMEOUT)
            while True:
                await wait_for_work(line, f"/poll/{self.poll}", self.again)
                await self._insist("GET", "work")
                self.close()

    async def _trusted(self) -> str:
        """The authority's certificate, checked; then TLS is possible."""
        pem = (await get(self.address, f"{self.boot.server}/ca.pem", PUBLIC_SECONDS)).decode()
        if trust.fingerprint(pem) != self.boot.ca:
            raise Failed(f"{self.mac}: the authority is another")
        await get(self.address, f"{self.boot.server}/time", PUBLIC_SECONDS)
        return pem

    def _line(self) -> Line:
        return Line(self.address, self.boot.control, control.TIMEOUT, _context(self.authority))

    async def _tell(self) -> None:
        """Trade the boot token, say what the computer is, and what its kernel said."""
        redemption = {
            "boot_token": self.boot.token,
            "machine_token": self.token,
            "nonce": self.boot.nonce,
            "mac": self.mac,
            "macs": [self.mac],
            "uuid": self.uuid,
            "firmware": "bios",
        }
        self.poll = (await self._insist("POST", "redeem", redemption))["poll"]
        said = await self._insist("POST", "inventory", inventory_of(self.number, self.uuid, self.mac))
        if said.get("state") != "idle":
            raise Failed(f"{self.mac} is {said}")
        with suppress(Unanswered):
            await self._call("POST", "boot-messages", {"text": MESSAGES})

    async def _hear_neighbours(self) -> None:
        """On a connection of its own, as the agent's thread for that."""
        await asyncio.sleep(listen.SECONDS)
        with suppress(Unanswered), closing(replace(self, control=self._line())) as thread:
            await thread._call("POST", "neighbours", {"neighbours": []})

    def close(self) -> None:
        """What follows upon the other shares a connection; none is held while it waits."""
        if self.control is not None:
            self.control.close()

    async def _insist(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """As `control.Control.insist`."""
        for pause in growing():
            try:
                return await self._call(method, path, body)
            except Unanswered:
                self.again["control"] += 1
                await asyncio.sleep(pause)
        raise AssertionError("growing pauses do not end")

    async def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        headers = "Accept: application/json\r\n"
        if path != "redeem":
            headers += f"Authorization: Bearer {self.token}\r\n"
        content = b"" if body is None else json.dumps(body).encode()
        headers += "Content-Type: application/json\r\n" if content else ""
        assert self.control is not None, "the authority is known"
        answer = judged(path, *await self.control.ask(method, f"/control/v1/{path}", headers, content))
        found: dict[str, Any] = json.loads(answer or b"{}")
        return found


async def wait_for_work(line: Line, path: str, seen: Counter[str]) -> None:
    """As the agent's function of this name (`poll`): returns when there may be work, or the poll id is unknown."""
    pauses = growing()
    while True:
        try:
            status, body = await line.ask("GET", path)
            if status == 404 or (status == 200 and body.strip() == b"come"):
                return
            judged(path, status, body)
        except (Unanswered, Failed):
            seen["failed"] += 1
            await asyncio.sleep(next(pauses))
        else:
            seen["answered"] += 1
            pauses = growing()
            await asyncio.sleep(poll.BREATH)
