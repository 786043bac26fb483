"""Waiting on the live WebSocket. Apart from the rest, since its library takes long to import."""

import asyncio
import json
from typing import Any, Protocol

import aiohttp

from appliance.cli.client import Api
from appliance.cli.errors import Refused, Unreachable


class Looker(Protocol):
    """Somebody who wants to know when something happened."""

    def look(self) -> None:
        """Something may have happened."""


def follow(api: Api, looker: Looker) -> None:
    """Call ``looker`` at once and whenever something happens; raises Unreachable when the appliance goes away."""
    asyncio.run(_follow(api, looker))


async def _follow(api: Api, looker: Looker) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    try:
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(f"{api.url}/api/v1/live", ssl=api.tls, heartbeat=30) as socket,
        ):
            async for message in socket:
                if _happened(message):
                    await asyncio.to_thread(looker.look)
    except aiohttp.WSServerHandshakeError as error:
        raise Refused("live-refused", f"{api.url}: answer {error.status}", "log in again with: qrm login") from error
    except aiohttp.ClientError as error:
        raise Unreachable("not-reachable", f"{api.url}: {error}", "is the appliance on?") from error
    raise Unreachable("live-ended", f"{api.url} closed the connection", "it stopped, or your log-in ended")


def _happened(message: "aiohttp.WSMessage") -> bool:
    if message.type is not aiohttp.WSMsgType.TEXT:
        return False
    said: dict[str, Any] = json.loads(message.data)
    return said.get("kind") in ("event", "resync")
