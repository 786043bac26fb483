"""Many WebSocket viewers in a process of their own, so that what they cost is not counted as the appliance's.

Reads ``{"url", "token", "viewers", "events"}`` as a line on standard input, says ``ready`` once all are connected, and
after the last event of each what they saw: ``{"bytes", "seen": [[[id of the event, monotonic time], ...], ...]}``.
"""

import asyncio
import json
import ssl
import sys
import time

import aiohttp
import msgspec
import uvloop

KIND = "machine.state"
LOST_SECONDS = 120.0
"""How long to wait for a message before all is given up."""


class _Event(msgspec.Struct):
    id: int
    kind: str


class _Message(msgspec.Struct):
    kind: str
    event: _Event | None = None


_DECODER = msgspec.json.Decoder(_Message)


class Viewer:
    """One tab."""

    def __init__(self) -> None:
        self.bytes = 0
        self.seen: list[tuple[int, float]] = []
        self.lost = False

    async def greet(self, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        """Read what every connection begins with: hello, and the wish to load everything."""
        for expected in ("hello", "resync"):
            assert _DECODER.decode(await socket.receive_str()).kind == expected

    async def read(self, socket: "aiohttp.ClientWebSocketResponse[bool]", events: int) -> None:
        """Note when each event of the kind came, until all have."""
        while len(self.seen) < events:
            data = await socket.receive_str(timeout=LOST_SECONDS)
            now = time.monotonic()
            self.bytes += len(data)
            message = _DECODER.decode(data)
            self.lost = self.lost or message.kind == "resync"
            if message.event is not None and message.event.kind == KIND:
                self.seen.append((message.event.id, now))


async def _view(url: str, token: str, count: int, events: int) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=trusting, limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {token}"}) as session:
        viewers = [Viewer() for _ in range(count)]
        sockets = [await session.ws_connect(url) for _ in viewers]
        for viewer, socket in zip(viewers, sockets, strict=True):
            await viewer.greet(socket)
        print("ready", flush=True)
        async with asyncio.TaskGroup() as tasks:
            for viewer, socket in zip(viewers, sockets, strict=True):
                tasks.create_task(viewer.read(socket, events))
        assert not any(viewer.lost for viewer in viewers), "a viewer was told to load anew"
        print(json.dumps({"bytes": sum(each.bytes for each in viewers), "seen": [each.seen for each in viewers]}))
        for socket in sockets:
            await socket.close()


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    uvloop.run(_view(asked["url"], asked["token"], asked["viewers"], asked["events"]))
