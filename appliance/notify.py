"""Messages to the service manager: sd_notify(3) and the watchdog of sd_watchdog_enabled(3)."""

import asyncio
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

STARTING_SECONDS = 10.0
"""Between two requests for more time while the daemon starts."""
MORE_SECONDS = 60
"""How much is asked for each time: a loop that stands still for so long is a start that failed."""


class ServiceNotifier:
    """Speaks to systemd (or the lab) if it listens, to nobody otherwise."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._path = environment.get("NOTIFY_SOCKET", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._asking: asyncio.TimerHandle | None = None
        self._watchdog_seconds = int(environment.get("WATCHDOG_USEC", "0")) / 1e6 if ours else 0.0

    def tell(self, *assignments: str) -> None:
        """Send assignments such as ``READY=1``; a service manager that went away is no error of ours."""
        if not self._path:
            return
        address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
            try:
                channel.sendto("\n".join(assignments).encode(), address)
            except OSError:
                return

    @contextmanager
    def starting(self) -> Iterator[None]:
        """For the length of the with-block, ask for more time than a start usually has: copying may take minutes."""
        self._ask_for_time()
        try:
            yield
        finally:
            if self._asking is not None:
                self._asking.cancel()

    def _ask_for_time(self) -> None:
        self.tell(f"EXTEND_TIMEOUT_USEC={MORE_SECONDS * 1_000_000}")
        self._asking = asyncio.get_running_loop().call_later(STARTING_SECONDS, self._ask_for_time)

    async def watchdog(self) -> None:
        """Say that the loop turns, twice per watchdog period; ends at once where there is no watchdog."""
        while self._watchdog_seconds:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_seconds / 2)
