"""How long ``qrm`` waits for an appliance that is starting: after an update, a restore, other settings."""

import sys
import time

SECONDS = 30.0
"""Longer than a daemon takes to stop and start again."""
PAUSE_SECONDS = 0.5


class Patience:
    """Of one appliance. It is said once, on standard error, that somebody waits."""

    def __init__(self, seconds: float = 0.0) -> None:
        """0 waits for nobody."""
        self._seconds = seconds
        self._until: float | None = None

    def lasts(self, url: str) -> bool:
        """Pause because nobody answered at ``url``; False, without a pause, where it has been long enough."""
        now = time.monotonic()
        if self._until is None and self._seconds:
            print(f"qrm: {url} does not answer; waiting for it, up to {self._seconds:g} s", file=sys.stderr, flush=True)
            self._until = now + self._seconds
        if self._until is None or now >= self._until:
            return False
        time.sleep(PAUSE_SECONDS)
        return True

    def rest(self) -> None:
        """Somebody answered: who is silent later is waited for anew."""
        self._until = None
