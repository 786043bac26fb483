"""GET over plain HTTP, for what is public on the provisioning network."""

import http.client
from urllib.parse import urlsplit

from .errors import AgentError

LIMIT = 1 << 20
"""Bytes read of any answer: nothing that is asked for here is larger."""


class Unreachable(AgentError):
    """The appliance did not answer, or not with anything that makes sense."""


def get(url: str, timeout: float) -> tuple[int, bytes]:
    """Status and body of `url`; `timeout` in seconds is for every single wait. Raises Unreachable."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        return answer.status, answer.read(LIMIT)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{url}: {error or type(error).__name__}", CHECK_CABLE) from error
    finally:
        connection.close()


def get_good(url: str, timeout: float = 10.0) -> bytes:
    """The body of `url`. Raises Unreachable, also for any status but 200."""
    status, body = get(url, timeout)
    if status != 200:
        raise Unreachable(f"{url}: the appliance answered {status}", CHECK_CABLE)
    return body


CHECK_CABLE = "check that the appliance is running and that its address above can be reached from here"
