"""What describes one address of the API."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address with one method: the type of its body, of its answer, and the parameters of its query."""

    method: str
    path: str
    handler: Handler
    status: int = 200
    gives: Any = None
    takes: Any = None
    query: tuple[str, ...] = ()
    public: bool = False
    """Answered without knowing who asks."""
