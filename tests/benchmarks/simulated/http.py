"""Plain HTTP as boot programs speak it, each request from the machine's own address."""

import asyncio
import contextlib
import json
import re
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

_HEAD = 16 << 10
_THROWN_AWAY = bytearray(4 << 20)
_PATIENCE = 300.0


class Failed(Exception):
    """An answer that no machine goes on with."""


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
            raise Failed(f"{url}: no answer")
        head += more
    head, _, rest = head.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    if length is None:
        raise Failed(f"{url}: no length")
    return int(head.split(b" ", 2)[1]), int(length[1]), rest


async def get(address: str, url: str) -> bytes:
    """The body; raises Failed on any other status than 200."""
    async with asyncio.timeout(_PATIENCE):
        with contextlib.closing(await _connect(address, url)) as opened:
            status, size, body = await _ask(opened, url)
            while len(body) < size:
                more = await asyncio.get_running_loop().sock_recv(opened, _HEAD)
                if not more:
                    raise Failed(f"{url}: broke off")
                body += more
    if status != 200:
        raise Failed(f"{url}: status {status}: {body[:200].decode(errors='replace')}")
    return body


async def hold(address: str, url: str) -> socket.socket:
    """A request whose answer nobody reads yet: an idle machine that waits for work."""
    opened = await _connect(address, url)
    await asyncio.get_running_loop().sock_sendall(
        opened, f"GET {urlsplit(url).path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n\r\n".encode()
    )
    return opened


async def swallow(address: str, url: str) -> int:
    """Octets of a large file, none of which is copied out of the kernel (tcp(7), MSG_TRUNC)."""
    with contextlib.closing(await _connect(address, url)) as opened:
        status, size, rest = await _ask(opened, url)
        if status != 200:
            raise Failed(f"{url}: status {status}")
        await _swallow(opened, size - len(rest), url)
        return size


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
        raise Failed(f"{url}: broke off {left} octets before its end")


async def post(address: str, url: str, body: Any, token: str, context: ssl.SSLContext) -> Any:
    """JSON both ways, over a connection of its own; raises Failed on any other status than 200."""
    parts = urlsplit(url)
    content = json.dumps(body).encode()
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n{authorization}"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    async with asyncio.timeout(_PATIENCE):
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or 443, ssl=context, local_addr=(address, 0), ssl_handshake_timeout=_PATIENCE
        )
        try:
            writer.write(head.encode() + content)
            said = await reader.read()
        finally:
            writer.close()
    first, _, answer = said.partition(b"\r\n\r\n")
    if first.split(b" ", 2)[1:2] != [b"200"]:
        raise Failed(f"{url}: {first[:60]!r} {answer[:200]!r}")
    return json.loads(answer)
