"""The appliance as the agent and the resident see it: two small servers that follow a script and take notes."""

import datetime
import hashlib
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass
class Certificates:
    """A certificate authority and a certificate of it for 127.0.0.1."""

    directory: Path
    ca_pem: str = ""
    fingerprint: str = ""
    chain: Path = field(default_factory=Path)

    def make(self, address: str = "127.0.0.1") -> "Certificates":
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca = _certificate("Test CA", ca_key, "Test CA", ca_key, x509.BasicConstraints(ca=True, path_length=0), None)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        leaf = _certificate("appliance", key, "Test CA", ca_key, x509.BasicConstraints(False, None), names)
        self.ca_pem = ca.public_bytes(serialization.Encoding.PEM).decode()
        self.fingerprint = hashlib.sha256(ca.public_bytes(serialization.Encoding.DER)).hexdigest()
        self.chain = self.directory / f"chain-{address}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.chain.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
        return self


def _certificate(name, key, issuer, issuer_key, constraints, names):
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(constraints, critical=True)
    )
    if names:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


@dataclass
class Call:
    """One request that came in, in the order of arrival over both servers."""

    kind: str
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    port: int = 0
    """Of the one who asks: the same in calls that share a connection."""


Answer = tuple[int, Any]


class FakeAppliance:
    """Answers what `answers` says for (method, path), else what a friendly appliance would say."""

    def __init__(self, directory: Path) -> None:
        self.certificates = Certificates(directory).make()
        self.calls: list[Call] = []
        self.changed = threading.Condition()
        self.answers: dict[tuple[str, str], Callable[[Call], Answer]] = {}
        self.work: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.stale: set[str] = set()
        self.images: dict[str, bytes] = {}
        self.image_tokens: dict[str, str] = {}
        self.break_after: list[int] = []
        """Bytes after which each of the next image connections is cut."""
        self.handshakes = 0
        self.hangs_up = False
        """Whether it ends each connection after an answer, without a word."""
        self.plain = self._start("plain", None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates.chain)
        self.secure = self._start("secure", context)

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self.plain.server_address[1]}"

    @property
    def control(self) -> str:
        return f"https://127.0.0.1:{self.secure.server_address[1]}"

    def command_line(self, **changes: str) -> str:
        said = {
            "server": self.server,
            "control": self.control,
            "ca": self.certificates.fingerprint,
            "token": "boot-token",
            "nonce": "nonce-1",
            "mac": "52:54:00:00:00:01",
            **changes,
        }
        return "quiet " + " ".join(f"qrm.{key}={value}" for key, value in said.items())

    def add_image(self, name: str, stored: bytes, token: str = "download") -> dict[str, Any]:
        """Serve `stored`; returns what goes into a step's `image`, but for format and size."""
        self.images[f"/images/{name}/content"] = stored
        self.image_tokens[f"/images/{name}/content"] = token
        return {
            "url": f"{self.server}/images/{name}/content",
            "token": token,
            "stored_size": len(stored),
            "stored_sha256": hashlib.sha256(stored).hexdigest(),
        }

    def paths(self, kind: str | None = None) -> list[str]:
        return [f"{call.method} {call.path}" for call in self.calls if kind in (None, call.kind)]

    def wait_for(self, condition: Callable[[], bool], timeout: float = 60.0) -> None:
        """Until `condition` holds; looked at after every call."""
        with self.changed:
            assert self.changed.wait_for(condition, timeout), (self.paths()[-20:], self.reports[-5:])

    def report_of(self, step: str, timeout: float = 60.0) -> dict[str, Any]:
        """The final report of `step`, awaited."""

        def final() -> list[dict[str, Any]]:
            return [said for said in self.reports if said["step"] == step and said["status"] != "running"]

        self.wait_for(lambda: bool(final()), timeout)
        return final()[-1]

    def close(self) -> None:
        for server in (self.plain, self.secure):
            server.shutdown()
            server.server_close()

    def answer(self, call: Call) -> Answer:
        with self.changed:
            self.calls.append(call)
            special = self.answers.get((call.method, call.path.partition("?")[0]))
            answer = special(call) if special else self._friendly(call)
            self.changed.notify_all()
        return answer

    def _friendly(self, call: Call) -> Answer:
        path = call.path.partition("?")[0]
        if path == "/ca.pem":
            return 200, self.certificates.ca_pem.encode()
        if path == "/time":
            return 200, {"now": time.time()}
        if path.startswith("/poll/"):
            return 200, b"come" if self.work else b"wait"
        return self._control(call, path.removeprefix("/control/v1/"))

    def _control(self, call: Call, name: str) -> Answer:
        if name == "redeem":
            return 200, {"machine": "m1", "name": "node-1", "poll": "p1"}
        if name == "inventory":
            return 200, {"state": "idle", "name": "node-1"}
        if name == "work":
            return (200, self.work[0]) if self.work else (204, b"")
        if name == "report":
            return self._report(call.body)
        return 404, {"code": "not-found", "message": "no such thing", "hint": ""}

    def _report(self, said: dict[str, Any]) -> Answer:
        self.reports.append(said)
        if said["step"] in self.stale:
            return 409, {"code": "stale-step", "message": "another attempt has taken over", "hint": ""}
        if said["status"] != "running" and self.work and self.work[0]["step"] == said["step"]:
            self.work.pop(0)
        return 200, {"continue": True}

    def _start(self, kind: str, context: ssl.SSLContext | None) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"appliance": self, "kind": kind})
        server = _Server(("127.0.0.1", 0), handler)
        server.appliance, server.context = self, context
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    appliance: FakeAppliance
    kind: str

    def do_GET(self) -> None:
        if self.path in self.appliance.images:
            self.close_connection = True
            _send_image(self.appliance, self)
        else:
            self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = json.loads(raw) if raw else None
        call = Call(self.kind, self.command, self.path, dict(self.headers), said, self.client_address[1])
        status, body = self.appliance.answer(call)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Machine-State", "idle")
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = self.close_connection or self.appliance.hangs_up

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    appliance: FakeAppliance
    context: ssl.SSLContext | None

    def finish_request(self, request, client_address) -> None:
        """In the connection's own thread, so that a slow handshake holds up nobody else."""
        if self.context is None:
            super().finish_request(request, client_address)
            return
        self.appliance.handshakes += 1
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except OSError:
            return

    def handle_error(self, *_: object) -> None:
        pass


def _send_image(appliance: FakeAppliance, handler: BaseHTTPRequestHandler) -> None:
    with appliance.changed:
        appliance.calls.append(Call("plain", "GET", handler.path, dict(handler.headers), None))
        cut = appliance.break_after.pop(0) if appliance.break_after else None
    data = appliance.images[handler.path]
    if handler.headers.get("Authorization") != f"Bearer {appliance.image_tokens[handler.path]}":
        handler.send_response(403)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    handler.send_header("Content-Length", str(len(data) - start))
    handler.end_headers()
    part = data[start:] if cut is None else data[start : start + cut]
    handler.wfile.write(part)
