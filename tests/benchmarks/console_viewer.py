"""One viewer of a console, for ``console_proxy``: reads as fast as it can, or types and waits for what comes back.

It does no more of RFC 6455 than it has to, so that little of what is measured is its own.
"""

import base64
import json
import os
import socket
import ssl
import struct
import sys
import time
from typing import Any

SECONDS = 4.0
TURNS = 300


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """What was measured: ``rate`` in bytes a second, or ``delays`` in seconds, there and back."""
    line = _connected(asked)
    with line:
        if asked["what"] == "rate":
            line.sendall(_frame(b"flood"))
            return {"rate": _rate(line)}
        return {"delays": [_turn(line, asked["framed"]) for _ in range(TURNS)][TURNS // 10 :]}


def _connected(asked: dict[str, Any]) -> socket.socket:
    if asked.get("unix"):
        bare = socket.socket(socket.AF_UNIX)
        bare.connect(asked["unix"])
        return bare
    plain = socket.create_connection(("127.0.0.1", asked["port"]))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    line = trusting.wrap_socket(plain)
    key = base64.b64encode(os.urandom(16)).decode()
    headers = [
        f"GET {asked['path']} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *asked["headers"], "", "",
    ]  # fmt: skip
    line.sendall("\r\n".join(headers).encode())
    said = b""
    while b"\r\n\r\n" not in said:
        said += line.recv(1)
    assert said.startswith(b"HTTP/1.1 101"), said
    return line


def _rate(line: socket.socket) -> float:
    """Bytes on the line, frames included: their heads are ten of some ten thousand."""
    buffer = bytearray(1 << 20)
    line.recv_into(buffer)
    began, read = time.monotonic(), 0
    while (now := time.monotonic()) < began + SECONDS:
        read += line.recv_into(buffer)
    return read / (now - began)


def _turn(line: socket.socket, framed: bool) -> float:
    began = time.perf_counter()
    line.sendall(_frame(b"a key") if framed else b"a key")
    wanted = 5 + (2 if framed else 0)
    while wanted > 0:
        wanted -= len(line.recv(wanted))
    return time.perf_counter() - began


def _frame(data: bytes) -> bytes:
    """Masked, as all from a client (RFC 6455 section 5.3)."""
    return struct.pack(">BB", 0x82, 0x80 | len(data)) + bytes(4) + data


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
