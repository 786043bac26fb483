"""The boot HTTP application on a real socket of the loopback, and a fleet that answers as it is told."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from appliance.netboot.fleet import Boot, Command, Welcome
from appliance.netboot.policy import NextEntry


@dataclass
class TalkingFleet:
    """Records what it was asked. ``answers`` maps a method to its answer, or to the error that it raises."""

    answers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def _answer(self, name, default, *arguments):
        self.asked.append((name, *arguments))
        answer = self.answers.get(name, default)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def boot(self, request):
        return self._answer("boot", Boot(NextEntry(), "node-1", "because"), request)

    async def poll(self, poll):
        return self._answer("poll", False, poll)

    async def redeem(self, redemption, address):
        return self._answer("redeem", Welcome("m", "node-1", "p"), redemption, address)

    async def take_inventory(self, token, inventory):
        return self._answer("take_inventory", ("idle", "node-1"), token, inventory)

    async def work(self, token, server):
        return self._answer("work", None, token, server)

    async def state(self, token):
        return self._answer("state", "idle", token)

    async def report(self, token, report):
        return self._answer("report", True, token, report)

    async def image(self, token, image):
        return self._answer("image", None, token, image)

    async def kernel(self, address, name):
        return self._answer("kernel", None, address, name)

    async def resident_active(self, token, activity):
        self._answer("resident_active", None, token, activity)

    async def resident_wait(self, token, boot_id):
        return self._answer("resident_wait", Command("none"), token, boot_id)

    async def resident_report(self, token, attempt, status, message):
        self._answer("resident_report", None, token, attempt, status, message)


@dataclass
class Answer:
    """One HTTP answer, as the bytes said."""

    status: int
    headers: dict
    body: bytes


@asynccontextmanager
async def served(app):
    """The port that the application is served on."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def read_answer(reader, head=False):
    """Read one answer by its Content-Length, as firmware does."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    length = 0 if head else int(headers.get("content-length", 0))
    return Answer(int(lines[0].split()[1]), headers, await reader.readexactly(length))


async def ask(port, target, method="GET", body=b"", **headers):
    """One request with exactly these bytes as its target."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        target = target if isinstance(target, bytes) else target.encode()
        fields = {"Host": "x", "Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}
        lines = b"".join(
            f"{k}: ".encode() + (v if isinstance(v, bytes) else v.encode()) + b"\r\n" for k, v in fields.items()
        )
        writer.write(method.encode() + b" " + target + b" HTTP/1.1\r\n" + lines + b"\r\n" + body)
        return await read_answer(reader, method == "HEAD")
    finally:
        writer.close()
