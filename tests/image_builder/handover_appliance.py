"""An appliance for machines that run the hand-over initrd: authority, clock, one document, one image."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from appliance.certificates import authority
from appliance.server_tls import issue

SEEN_AS = "10.0.2.2"
"""This computer, as machines see it that QEMU gives a network of its own."""
TOKEN, NONCE, DOWNLOAD = "b2" * 32, "nonce-of-this-boot", "d3" * 32


@dataclass
class Served:
    """What is served, and what was asked."""

    image: bytes
    fingerprint: str
    pem: bytes
    ports: list[int] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    redeemed: list[dict[str, Any]] = field(default_factory=list)

    @property
    def base(self) -> str:
        """Of plain HTTP."""
        return f"http://{SEEN_AS}:{self.ports[0]}"

    def words(self) -> str:
        """For the kernel's command line, as the boot script writes them."""
        words = {"server": self.base, "control": f"https://{SEEN_AS}:{self.ports[1]}", "ca": self.fingerprint}
        return " ".join(f"qrm.{key}={value}" for key, value in {**words, "token": TOKEN, "nonce": NONCE}.items())


@contextmanager
def serving(directory: Path, image: bytes) -> Iterator[Served]:
    """Both servers, until the end."""
    mine = authority(directory, time.time())
    (directory / "leaf.pem").write_bytes(issue(mine, [SEEN_AS], time.time()).pem)
    served = Served(image, mine.fingerprint, mine.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "leaf.pem")
    handler = type("Handler", (_Handler,), {"served": served})
    with ExitStack() as running:
        for secure in (False, True):
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            if secure:
                server.socket = context.wrap_socket(server.socket, server_side=True)
            served.ports.append(server.server_address[1])
            thread = Thread(target=server.serve_forever)
            thread.start()
            running.callback(thread.join)
            running.callback(server.server_close)
            running.callback(server.shutdown)
        yield served


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def do_GET(self) -> None:
        self.served.asked.append(self.path)
        if self.path == "/images/1/content" and self.headers["Authorization"] != f"Bearer {DOWNLOAD}":
            self._answer(403, b"")
        else:
            now = json.dumps({"now": time.time()}).encode()
            known = {"/ca.pem": self.served.pem, "/time": now, "/images/1/content": self.served.image}
            self._answer(200 if self.path in known else 404, known.get(self.path, b""))

    def do_POST(self) -> None:
        self.served.asked.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.served.redeemed.append(body)
        good = self.path == "/control/v1/root" and body["boot_token"] == TOKEN
        self._answer(200 if good else 403, json.dumps(self.served.document if good else {}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
