"""HTTP as boot programs and agents speak it, each request from the machine's own address."""

import asyncio
import contextlib
import re
import socket
import ssl
from urllib.parse import urlsplit

_HEAD = 16 << 10
_THROWN_AWAY = bytearray(4 << 20)
PATIENCE = 300.0
"""Seconds that a boot program waits for a small answer."""


class Failed(Exception):
    """An answer that no machine goes on with."""


class Unanswered(Exception):
    """What may pass: no connection, no answer, or one that says so. Who asked asks again, if it is of that kind."""


def judged(url: str, status: int, body: bytes) -> bytes:
    """The body of a good answer, as the agent tells them apart (`appliance.agent.control`); raises the others."""
    if 200 <= status < 300:
        return body
    words = f"{url}: status {status}: {body[:200].decode(errors='replace')}"
    if 400 <= status < 500 and status not in (408, 429):
        raise Failed(words)
    raise Unanswered(words)


async def get(address: str, url: str, patience: float = PATIENCE) -> bytes:
    """The body, over a connection of its own; raises Failed and Unanswered."""
    try:
        async with asyncio.timeout(patience):
            with contextlib.closing(await _connect(address, url)) as opened:
                status, size, body = await _ask(opened, url)
                while len(body) < size:
                    more = await asyncio.get_running_loop().sock_recv(opened, _HEAD)
                    if not more:
                        raise Unanswered(f"{url}: broke off")
                    body += more
    except (OSError, TimeoutError) as error:
        raise Unanswered(f"{url}: {error!r}") from error
    return judged(url, status, body)


async def swallow(address: str, url: str) -> int:
    """Octets of a large file, none of which is copied out of the kernel (tcp(7), MSG_TRUNC). Raises as `get` does."""
    try:
        with contextlib.closing(await _connect(address, url)) as opened:
            status, size, rest = await _ask(opened, url)
            judged(url, status, rest)
            await _swallow(opened, size - len(rest), url)
            return size
    except OSError as error:
        raise Unanswered(f"{url}: {error}") from error


async def _connect(address: str, url: str) -> socket.socket:
    parts = urlsplit(url)
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        opened.bind((address, 0))
        await asyncio.get_running_loop().sock_connect(opened, (parts.hostname or "", parts.port or 80))
    except BaseException:
        opened.close()
        raise
    return opened


async def _ask(opened: socket.socket, url: str) -> tuple[int, int, bytes]:
    """Status, length of the body, and what of it came with the head."""
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    await loop.sock_sendall(opened, f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        more = await loop.sock_recv(opened, _HEAD)
        if not more or len(head) > _HEAD:
            raise Unanswered(f"{url}: no answer")
        head += more
    head, _, rest = head.partition(b"\r\n\r\n")
    status, size = said(head)
    return status, size, rest


def said(head: bytes) -> tuple[int, int]:
    """Status and length of the body that the head of an answer tells; raises Unanswered where it tells none."""
    begun = re.match(rb"HTTP/1\.[01] ([1-5]\d\d) ", head)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if begun is None or (length is None and begun[1] != b"204"):
        raise Unanswered(f"this is no answer: {head[:60]!r}")
    return int(begun[1]), int(length[1]) if length else 0


async def _swallow(opened: socket.socket, left: int, url: str) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def read() -> None:
        nonlocal left
        try:
            got = opened.recv_into(_THROWN_AWAY, min(left, len(_THROWN_AWAY)), socket.MSG_TRUNC) if left else 0
        except BlockingIOError:
            return
        except OSError as error:
            loop.remove_reader(opened)
            done.set_exception(error)
            return
        left -= got
        if left == 0 or got == 0:
            loop.remove_reader(opened)
            done.set_result(None)

    loop.add_reader(opened, read)
    try:
        await done
    finally:
        loop.remove_reader(opened)
    if left:
        raise Unanswered(f"{url}: broke off {left} octets before its end")


class Line:
    """One server that is asked again and again, over one connection as long as that holds (RFC 9112 section 9.3)."""

    def __init__(self, address: str, base: str, patience: float, context: ssl.SSLContext | None = None) -> None:
        """`patience` in seconds is for a whole call; `context` is there where `base` is https."""
        self._address, self._base, self._patience, self._context = address, base, patience, context
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, headers: str = "", content: bytes = b"") -> tuple[int, bytes]:
        """Status and body. Raises Unanswered, after which it may be asked again."""
        sent = f"Content-Length: {len(content)}\r\n" if content else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(self._base).netloc}\r\n{headers}{sent}\r\n"
        try:
            async with asyncio.timeout(self._patience):
                kept = self._streams is not None
                try:
                    return await self._say(head.encode() + content)
                except (ConnectionError, asyncio.IncompleteReadError):
                    if not kept:
                        raise
                self.close()  # it was kept open, and the server has let go of it meanwhile
                return await self._say(head.encode() + content)
        except (OSError, TimeoutError, EOFError) as error:
            self.close()
            raise Unanswered(f"{self._base}{path}: {error!r}") from error

    def close(self) -> None:
        """The next call opens another connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _say(self, request: bytes) -> tuple[int, bytes]:
        reader, writer = self._streams = self._streams or await self._open()
        writer.write(request)
        status, size = said((await reader.readuntil(b"\r\n\r\n"))[:-4])
        return status, await reader.readexactly(size)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts, patience = urlsplit(self._base), self._patience if self._context else None
        port = parts.port or (443 if self._context else 80)
        return await asyncio.open_connection(
            parts.hostname,
            port,
            ssl=self._context,
            local_addr=(self._address, 0),
            limit=_HEAD,
            ssl_handshake_timeout=patience,
        )
