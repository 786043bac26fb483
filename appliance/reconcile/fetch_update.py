"""Fetches an update by HTTP: whatever names resolve to and wherever redirects lead, never from the appliance itself."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from appliance.errors import ApplianceError
from appliance.updates.source import check_address, check_url

MOST_REDIRECTS = 5
CHUNK = 1 << 20
LIMITS = aiohttp.ClientTimeout(total=None, sock_connect=20.0, sock_read=60.0)
Check = Callable[[str], object]


class _Resolver(AbstractResolver):
    """Checks every address that a name has: what is connected to is what was checked."""

    def __init__(self, check: Check) -> None:
        self._check, self._inner = check, aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for each in found:
            self._check(each["host"])
        return found

    async def close(self) -> None:
        await self._inner.close()


@asynccontextmanager
async def fetching(
    url: str, check: Check = check_url, check_ip: Check = check_address
) -> AsyncIterator[tuple[AsyncIterator[bytes], int]]:
    """The content behind an address as it comes, and its size in bytes, 0 where that is not said.

    Raises Invalid for an address that is not asked, ApplianceError ``fetch-failed``.
    """
    # Read now: aiohttp was imported without them, since nobody else here asks them (`qrm serve`).
    authorities = await asyncio.to_thread(ssl.create_default_context)
    connector = aiohttp.TCPConnector(ssl=authorities, resolver=_Resolver(check_ip), use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector, timeout=LIMITS, trust_env=False) as http:
        response = await _asked(http, url, check)
        async with response:
            yield _content(response), response.content_length or 0


async def _asked(http: aiohttp.ClientSession, url: str, check: Check) -> aiohttp.ClientResponse:
    for _ in range(MOST_REDIRECTS + 1):
        check(url)
        try:
            response = await http.get(url, allow_redirects=False)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _failed(str(error) or "no answer") from error
        if response.status == 200:
            return response
        response.release()
        to = response.headers.get("Location")
        if response.status not in (301, 302, 303, 307, 308) or not to:
            raise _failed(f"the server says {response.status}")
        url = urljoin(url, to)
    raise _failed("it is sent from one address to the next without an end")


async def _content(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_chunked(CHUNK):
            yield chunk
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise _failed(f"it ended in the middle: {error}") from error


def _failed(why: str) -> ApplianceError:
    text = f"the update could not be fetched: {why[:300]}"
    return ApplianceError("fetch-failed", text, "see whether this address is right, and whether it can be reached")
