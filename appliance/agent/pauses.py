"""How long to wait before the next try: growing, so that a fleet does not trample a waking appliance."""

from collections.abc import Iterator


def growing(first: float = 1.0, limit: float = 30.0) -> Iterator[float]:
    """Seconds to wait before each next try, without end: `first`, doubled every time, never above `limit`."""
    pause = first
    while True:
        yield min(pause, limit)
        pause = min(pause * 2, limit)
