"""What is built: servers and sites, bound before anything is served, and loops that run as long as the daemon."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from appliance.netboot.idle_polls import IdlePolls
from appliance.reconcile.imports import Imports
from appliance.reconcile.isos import Isos

Run = Callable[[], Awaitable[None]]


class Server(Protocol):
    """What binds before anything is served, and then runs until cancelled."""

    async def start(self) -> None:
        """Bind; raises ApplianceError."""

    async def run(self) -> None:
        """Serve."""

    def close(self) -> None:
        """Give ports back."""


@dataclass(frozen=True, slots=True)
class Site:
    """One HTTP application and the addresses it listens on."""

    name: str
    app: web.Application
    listen: tuple[tuple[str, int], ...]
    tls: ssl.SSLContext | None = None
    sockets: Sequence[socket.socket] = ()
    """Sockets that were passed in; they take the place of ``listen``."""
    per_source: int | None = None
    """Connections that one address may have open; None for any number."""
    polls: IdlePolls | None = None
    """Answers what it can before the application sees it."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything that runs."""

    servers: tuple[Server, ...]
    sites: tuple[Site, ...]
    loops: dict[str, Run]
    imports: Imports
    isos: Isos
    fingerprint: str
    again: asyncio.Event
    """Set by whoever wants everything to end and to begin anew, on the state as it is then."""
