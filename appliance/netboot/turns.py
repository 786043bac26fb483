"""Whose turn it is to send a piece of a large file.

A thousand machines that all have room for more would have a thousand pieces sent before anything else is looked at: a
second in which no block of TFTP is acknowledged and no address is given. So only some are sent, first come, first
served, and the loop looks at everything else before the next ones.
"""

import asyncio
from collections import deque
from collections.abc import Callable

AT_ONCE = 4
"""Pieces between two looks at everything else: some milliseconds."""


class Turns:
    """Of all transfers of one site."""

    def __init__(self) -> None:
        self.transfers = 0
        """How many there are."""
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def are_needed(self) -> bool:
        """Whether there are so many that one has to wait for its turn."""
        return self.transfers > AT_ONCE

    def ask(self, send: Callable[[], None]) -> None:
        """Have ``send``, which raises nothing, called once, soon."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._some)
        self._waiting.append(send)

    def _some(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._some)
        for send in some:
            send()
