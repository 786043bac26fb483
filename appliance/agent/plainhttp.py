"""GET over plain HTTP, for what is public on the provisioning network."""

import http.client
from urllib.parse import urlsplit

from .errors import APPLIANCE, AgentError

LIMIT = 1 << 20
"""Bytes read of any answer: nothing that is asked for here is larger."""


class Unreachable(AgentError):
    """The appliance did not answer, or not with anything that makes sense."""

    waits = APPLIANCE


def get(url: str, timeout: float) -> tuple[int, bytes]:
    """Status and body of `url`; `timeout` in seconds is for every single wait. Raises Unreachable."""
    with Line(url, timeout) as line:
        return line.get()


class Line:
    """One URL that is asked for again and again, over one connection as long as that holds. Close it, or use `with`."""

    def __init__(self, url: str, timeout: float) -> None:
        """`timeout` in seconds is for every single wait."""
        parts = urlsplit(url)
        self._url, self._path = url, parts.path or "/"
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self) -> tuple[int, bytes]:
        """Status and body. Raises Unreachable, after which it may be asked again."""
        try:
            try:
                return self._ask()
            except http.client.RemoteDisconnected:  # it was kept open, and the appliance has let go of it meanwhile
                return self._ask()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unreachable(f"{self._url}: {error or type(error).__name__}", CHECK_CABLE) from error

    def _ask(self) -> tuple[int, bytes]:
        self._connection.request("GET", self._path)
        answer = self._connection.getresponse()
        return answer.status, answer.read(LIMIT)


def get_good(url: str, timeout: float = 10.0) -> bytes:
    """The body of `url`. Raises Unreachable, also for any status but 200."""
    status, body = get(url, timeout)
    if status != 200:
        raise Unreachable(f"{url}: the appliance answered {status}", CHECK_CABLE)
    return body


CHECK_CABLE = "check that the appliance is running and that its address above can be reached from here"
