"""What comes first in the transaction of a change that somebody asks for: what has to be so still, and is noted."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Precondition = Callable[[sqlite3.Connection], None]
"""Raises where it is not so. What it writes is kept with the change, or not at all."""

PRECONDITIONS: ContextVar[tuple[Precondition, ...]] = ContextVar("preconditions", default=())
"""Of the wishes that the running task makes; ``record`` asks for all of them, in this order."""


@contextmanager
def required(check: Precondition) -> Iterator[None]:
    """Have all changes that are recorded within the with-block come after this check."""
    token = PRECONDITIONS.set((*PRECONDITIONS.get(), check))
    try:
        yield
    finally:
        PRECONDITIONS.reset(token)
