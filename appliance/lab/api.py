"""A plain client of the JSON API, as any program of a user would be one."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from appliance.errors import ApplianceError

REQUEST_SECONDS = 60
PAUSE_SECONDS = 1.0
"""Between two tries to reach a console."""


class Api:
    """One session with the console's API under ``/api/v1``."""

    def __init__(self, session: aiohttp.ClientSession, patience: float = 0.0) -> None:
        """``patience``: seconds for which it is tried to reach a console that is not there or does not answer."""
        self._session = session
        self._patience = patience

    async def log_in(self, name: str, password: str) -> None:
        """Open a session of the user; its token goes with every later request."""
        answer = await self.post("/sessions", name=name, password=password)
        self._session.headers["Authorization"] = f"Bearer {answer['token']}"

    async def get(self, path: str, **query: str) -> Any:
        """GET; raises ApplianceError with the server's code and words."""
        return await self._request("GET", path, params=query)

    async def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The ``items`` of a listing's first page."""
        return list((await self.get(path, **query))["items"])

    async def pages(self, path: str) -> list[dict[str, Any]]:
        """All ``items`` of a listing that comes in pages, newest first."""
        page = await self.get(path)
        found = list(page["items"])
        while page["next"] is not None:
            page = await self.get(path, cursor=page["next"])
            found += page["items"]
        return found

    async def post(self, path: str, **body: Any) -> Any:
        """POST a JSON object."""
        return await self._request("POST", path, json=body)

    async def patch(self, path: str, **body: Any) -> Any:
        """PATCH with a JSON object."""
        return await self._request("PATCH", path, json=body)

    async def put(self, path: str, **body: Any) -> Any:
        """PUT a JSON object."""
        return await self._request("PUT", path, json=body)

    async def delete(self, path: str) -> None:
        """DELETE."""
        await self._request("DELETE", path)

    async def _request(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            async with asyncio.timeout(self._patience or None):
                return await self._reach(method, path, arguments)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApplianceError("lab-api", f"{method} {path}: {error!r}") from error

    async def _reach(self, method: str, path: str, arguments: dict[str, Any]) -> Any:
        while True:
            try:
                return await self._once(method, path, arguments)
            except aiohttp.ClientConnectorError:  # nothing was asked yet
                if not self._patience:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)

    async def _once(self, method: str, path: str, arguments: dict[str, Any]) -> Any:
        async with self._session.request(method, f"/api/v1{path}", **arguments) as response:
            body = await response.json(content_type=None) if response.content_length != 0 else None
            _check(method, path, response.status, body)
            return body


def _check(method: str, path: str, status: int, body: Any) -> None:
    if status < 400:
        return
    problem = body if isinstance(body, dict) else {}
    said = " ".join(str(problem[key]) for key in ("title", "detail", "hint") if problem.get(key))
    raise ApplianceError(str(problem.get("code", "lab-api")), f"{method} {path}: {status} {said}")


@asynccontextmanager
async def connect(port: int, authority: Path, patience: float = 0.0) -> AsyncIterator[Api]:
    """A client of the console on 127.0.0.1, which must show a certificate of ``authority`` (PEM file)."""
    trust = await asyncio.to_thread(ssl.create_default_context, cafile=str(authority))
    async with aiohttp.ClientSession(
        f"https://127.0.0.1:{port}",
        connector=aiohttp.TCPConnector(ssl=trust),
        timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
    ) as session:
        yield Api(session, patience)
