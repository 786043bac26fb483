"""What has to be so still when a wish is carried out, checked in the transaction of the change itself."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import aiosqlite

Precondition = Callable[[aiosqlite.Connection], Awaitable[None]]
"""Raises where it is not so."""

PRECONDITION: ContextVar[Precondition | None] = ContextVar("precondition", default=None)
"""Of the wishes that the running task makes; ``record`` asks for it."""
