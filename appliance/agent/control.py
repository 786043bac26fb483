"""Calls to the appliance's agent control: JSON over HTTPS. See "HTTPS agent control" in ARCHITECTURE.md."""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .errors import REFUSED, AgentError
from .pauses import growing
from .plainhttp import CHECK_CABLE, LIMIT, Unreachable

TIMEOUT = 20.0
KEPT_SECONDS = 30.0
"""How long a connection that nobody used is believed in; the appliance closes it after 75."""

Said = tuple[int, bytes, Mapping[str, str]]
"""Status, body and headers of an answer."""


class Refused(AgentError):
    """The appliance said no (4xx): `code` is its machine-readable reason."""

    waits = REFUSED

    def __init__(self, status: int, code: str, message: str, hint: str) -> None:
        super().__init__(message or f"refused with status {status}", hint)
        self.status = status
        self.code = code

    @property
    def session_is_over(self) -> bool:
        """Nothing helps but a fresh boot with a fresh token."""
        return self.status == 401 or self.code.startswith("token-")


@dataclass(frozen=True)
class Answer:
    """A good answer; `body` is {} when there was none."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Control:
    """The other end of all calls. `pause` waits seconds; `trouble` is told each error that is tried again.

    Calls that follow each other share a connection: a fleet that boots has the appliance agree on TLS once for each
    machine. One thread's only; `replace` makes another's.
    """

    base: str
    context: ssl.SSLContext
    pause: Callable[[float], None]
    trouble: Callable[[AgentError], None]
    token: str | None = None
    _kept: http.client.HTTPSConnection | None = field(default=None, init=False, repr=False)
    _used: float = field(default=0.0, init=False, repr=False)

    def call(self, method: str, path: str, body: object = None, timeout: float = TIMEOUT) -> Answer:
        """One call, tried once. Raises Refused for 4xx, Unreachable for everything that may pass."""
        url = f"{self.base}/control/v1/{path}"
        try:
            return _judge(url, *self._asked(method, urlsplit(url).path, body, timeout))
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"{url}: its certificate is not good: {error.verify_message}", CHECK_CLOCK) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{url}: {error or type(error).__name__}", CHECK_CABLE) from error

    def _asked(self, method: str, path: str, body: object, timeout: float) -> Said:
        """Raises OSError and HTTPException, after which the next call opens another connection."""
        if time.monotonic() - self._used > KEPT_SECONDS:
            self.close()
        was_kept = self._kept is not None
        try:
            return self._ask(self._connection(timeout), method, path, body)
        except (ConnectionError, ssl.SSLEOFError, http.client.HTTPException):
            self.close()
            if not was_kept:
                raise
        except BaseException:
            self.close()
            raise
        return self._asked(method, path, body, timeout)  # the appliance had let go of it meanwhile

    def _ask(self, connection: http.client.HTTPSConnection, method: str, path: str, body: object) -> Said:
        connection.request(method, path, *self._message(body))
        answer = connection.getresponse()
        said = answer.status, answer.read(LIMIT), dict(answer.getheaders())
        if not answer.isclosed():
            self.close()  # there is more than anybody reads
        self._used = time.monotonic()
        return said

    def _connection(self, timeout: float) -> http.client.HTTPSConnection:
        if self._kept is None:
            parts = urlsplit(self.base)
            self._kept = http.client.HTTPSConnection(
                parts.hostname or "", parts.port or 443, timeout=timeout, context=self.context
            )
        self._kept.timeout = timeout
        if self._kept.sock is not None:
            self._kept.sock.settimeout(timeout)
        return self._kept

    def close(self) -> None:
        """Let the appliance go until the next call: each connection that is open costs it memory."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def insist(self, method: str, path: str, body: object = None) -> Answer:
        """A call repeated with growing pauses until the appliance answers. Raises Refused."""
        for pause in growing():
            try:
                return self.call(method, path, body)
            except Unreachable as error:
                self.trouble(error)
                self.pause(pause)
        raise AssertionError("growing pauses do not end")

    def _message(self, body: object) -> tuple[bytes | None, dict[str, str]]:
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is None:
            return None, headers
        return json.dumps(body).encode(), {**headers, "Content-Type": "application/json"}


CHECK_CLOCK = "check the clocks of this machine and of the appliance"


def _judge(url: str, status: int, raw: bytes, headers: Mapping[str, str]) -> Answer:
    body = _object(raw)
    if 200 <= status < 300:
        if body is None and raw.strip():
            raise Unreachable(f"{url}: the answer is not a JSON object")
        return Answer(status, body or {}, headers)
    if 400 <= status < 500 and status not in (408, 429):
        said = body or {}
        raise Refused(status, str(said.get("code", "")), str(said.get("message", "")), str(said.get("hint", "")))
    raise Unreachable(f"{url}: the appliance answered {status}", CHECK_CABLE)


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
