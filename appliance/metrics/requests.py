"""HTTP requests of each site, by class of status, and how long they took."""

import asyncio
from collections import Counter

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from appliance.metrics.exposition import Labels
from appliance.metrics.histogram import Histogram

ABORTED = "aborted"
"""Class of a request whose client left, or that ended without an answer."""
_SWITCHING = 101
_DEFECT = 500
"""What aiohttp answers where a handler fails."""


class Requests:
    """Counts for all sites of the daemon."""

    def __init__(self) -> None:
        self.answered: Counter[Labels] = Counter()
        """By site and class of status (``2xx`` ... ``5xx``, ``aborted``)."""
        self.seconds: dict[Labels, Histogram] = {}
        """By site; WebSockets are not in it, they last as long as their reader stays."""

    def counting(self, site: str, *, timed: bool) -> Middleware:
        """The outermost middleware of a site; ``timed``: its requests are answered at once, none is a long poll."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            began, status = asyncio.get_running_loop().time(), 0
            try:
                response = await handler(request)
                status = response.status
                return response
            except web.HTTPException as error:
                status = error.status
                raise
            except ConnectionError:  # the client has left
                raise
            except Exception:
                status = _DEFECT
                raise
            finally:
                self.note(site, status)
                if timed and status != _SWITCHING:
                    taken = asyncio.get_running_loop().time() - began
                    self.seconds.setdefault((site,), Histogram()).observe(taken)

        return count

    def note(self, site: str, status: int) -> None:
        """One more answer; status 0: the client left before there was one."""
        self.answered[site, _class(status)] += 1


def _class(status: int) -> str:
    return f"{status // 100}xx" if status else ABORTED
