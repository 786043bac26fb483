"""Calls to the appliance: JSON over HTTPS. See "Resident" in ARCHITECTURE.md."""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlencode, urlsplit

from .settings import Settings

LIMIT = 1 << 16
WAIT = 80.0
"""Seconds; the appliance answers a wait after at most 50."""
CALL = 20.0


class Unreachable(Exception):
    """No answer, or none that makes sense; it may come back."""


class Refused(Exception):
    """The appliance does not know this deployment any more, or says no for another reason (4xx)."""


class Client:
    """One connection for each call: the network may change between two."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(cadata=settings.authority)
        self.own_address = ""
        """The address of this system that the last call went out from."""

    def active(self, body: dict[str, Any]) -> None:
        """Say that this system runs; `addresses` is filled in from the connection itself."""
        self._call("POST", "active", body, CALL)

    def wait(self, boot_id: str) -> dict[str, Any]:
        """What the appliance wants next, after up to 50 s: `{"command", "attempt"}`."""
        return self._call("GET", f"wait?{urlencode({'boot_id': boot_id})}", None, WAIT)

    def report(self, attempt: str, status: str, message: str) -> None:
        """Say that a command is about to be obeyed, or could not be."""
        self._call("POST", "report", {"attempt": attempt, "status": status, "message": message}, CALL)

    def boot_messages(self, boot_id: str, text: str) -> None:
        """Hand in what the kernel said in this boot."""
        self._call("POST", "boot-messages", {"boot_id": boot_id, "text": text}, CALL)

    def _call(self, method: str, path: str, body: dict[str, Any] | None, timeout: float) -> dict[str, Any]:
        url = f"{self.settings.control}/control/v1/resident/{path}"
        parts = urlsplit(url)
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 443, timeout=timeout, context=self.context
        )
        try:
            connection.connect()
            self.own_address = str(connection.sock.getsockname()[0])
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request(method, target, *self._message(body))
            answer = connection.getresponse()
            return _judge(url, answer.status, answer.read(LIMIT))
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{url}: {error or type(error).__name__}") from error
        finally:
            connection.close()

    def _message(self, body: dict[str, Any] | None) -> tuple[bytes | None, dict[str, str]]:
        headers = {"Authorization": f"Bearer {self.settings.token}"}
        if body is None:
            return None, headers
        if "addresses" in body:
            body = {**body, "addresses": [self.own_address]}
        return json.dumps(body).encode(), {**headers, "Content-Type": "application/json"}


def _judge(url: str, status: int, raw: bytes) -> dict[str, Any]:
    try:
        said = json.loads(raw) if raw.strip() else {}
    except ValueError:
        said = None
    if 400 <= status < 500 and status not in (408, 429):
        words = said.get("message", "") if isinstance(said, dict) else ""
        raise Refused(f"{url}: refused with status {status}: {words}")
    if not 200 <= status < 300 or not isinstance(said, dict):
        raise Unreachable(f"{url}: the appliance answered {status}, or no JSON object")
    return said
