"""Fetches files by HTTP: whatever names resolve to and wherever redirects lead, never from the appliance itself."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from appliance.errors import ApplianceError
from appliance.fetch_source import check_address, check_url, inner, refused
from appliance.half_upload import LONGEST_MARK

MOST_REDIRECTS = 5
CHUNK = 1 << 20
LIMITS = aiohttp.ClientTimeout(total=None, sock_connect=20.0, sock_read=60.0)
Check = Callable[[str], object]
_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")


def check_source(url: str) -> None:
    """As ``check_url``, and where the host is an address as ``check_reached``. Raises Invalid."""
    check_url(url)
    check_reached(urlsplit(url).hostname or "")


def check_reached(address: str) -> None:
    """As ``check_address``, and raises Invalid ``url-refused`` for addresses of our own, whatever the network."""
    check_address(address)
    if _is_ours(address):
        raise refused(address)


def _is_ours(text: str) -> bool:
    """Whether the kernel has this address: it lets nobody bind another one (ip(7), ``EADDRNOTAVAIL``)."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:  # a name: what it leads to is asked where it is resolved
        return False
    plain = inner(address)
    family = socket.AF_INET if plain.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(plain), 0))
        except OSError:
            return False
    return True


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


class Source(NamedTuple):
    """A file that comes from elsewhere."""

    chunks: AsyncIterator[bytes]
    size: int
    """Bytes of the whole file; 0 where that is not said."""
    first: int
    """Where the chunks begin."""
    mark: str
    """By what the server knows this state of the file (RFC 9110 section 8.8.3); empty where it does not say."""


class Start(NamedTuple):
    """From where on a file is asked for, of which some is here."""

    at: int = 0
    mark: str = ""
    """As ``Source`` had it: another state of the file comes from its beginning."""


@asynccontextmanager
async def fetching(
    url: str, check: Check = check_source, check_ip: Check = check_reached, what: str = "update"
) -> AsyncIterator[tuple[AsyncIterator[bytes], int]]:
    """The content behind an address as it comes, and its size in bytes, 0 where that is not said.

    Raises Invalid for an address that is not asked, ApplianceError ``fetch-failed`` naming ``what`` was wanted.
    """
    async with opened(url, Start(), check, check_ip, what) as source:
        yield source.chunks, source.size


@asynccontextmanager
async def opened(
    url: str, start: Start, check: Check = check_source, check_ip: Check = check_reached, what: str = "image"
) -> AsyncIterator[Source]:
    """As ``fetching``, from ``start`` on where the server can do that; its answer says where it begins."""
    # Read now: aiohttp was imported without them, since nobody else here asks them (`qrm serve`).
    authorities = await asyncio.to_thread(ssl.create_default_context)
    connector = aiohttp.TCPConnector(ssl=authorities, resolver=_Resolver(check_ip), use_dns_cache=False)
    # What is packed on the way would be unpacked without a limit, and has no place to go on from.
    plain = {"Accept-Encoding": "identity", **_range(start)}
    async with aiohttp.ClientSession(
        connector=connector, timeout=LIMITS, trust_env=False, headers=plain, auto_decompress=False
    ) as http:
        try:
            response = await _asked(http, url, check)
            async with response:
                yield _source(response, start)
        except _Trouble as error:
            raise _failed(what, str(error)) from error


def _range(start: Start) -> dict[str, str]:
    """What asks for the rest (RFC 9110 sections 13.1.5 and 14.2); a weak mark compares nothing."""
    if not start.at:
        return {}
    strong = start.mark and not start.mark.startswith("W/")
    return {"Range": f"bytes={start.at}-"} | ({"If-Range": start.mark} if strong else {})


def _source(response: aiohttp.ClientResponse, start: Start) -> Source:
    mark = (response.headers.get("ETag") or response.headers.get("Last-Modified") or "")[:LONGEST_MARK]
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _Trouble("the server packs it on the way, which was not asked for")
    if response.status == 200:
        return Source(_content(response), response.content_length or 0, 0, mark)
    found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if found is None or int(found[1]) != start.at or not int(found[1]) <= int(found[2]) < int(found[3]):
        raise _Trouble("the server sends another part of it than was asked for")
    return Source(_content(response), int(found[3]), start.at, mark)


async def _asked(http: aiohttp.ClientSession, url: str, check: Check) -> aiohttp.ClientResponse:
    for _ in range(MOST_REDIRECTS + 1):
        check(url)
        try:
            response = await http.get(url, allow_redirects=False)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _Trouble(str(error) or "no answer") from error
        if response.status in (200, 206):
            return response
        response.release()
        to = response.headers.get("Location")
        if response.status not in (301, 302, 303, 307, 308) or not to:
            raise _Trouble(f"the server says {response.status}")
        url = urljoin(url, to)
    raise _Trouble("it is sent from one address to the next without an end")


async def _content(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_chunked(CHUNK):
            yield chunk
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise _Trouble(f"it ended in the middle: {error}") from error


class _Trouble(Exception):
    """In words, what was wrong on the way."""


def _failed(what: str, why: str) -> ApplianceError:
    text = f"the {what} could not be fetched: {why[:300]}"
    return ApplianceError("fetch-failed", text, "see whether this address is right, and whether it can be reached")
