"""How long somebody who guesses passwords at the screen has to wait; kept in a file, since the screen starts anew.

Whoever hangs up a serial line has a fresh screen at once: what they failed at must not be forgotten with the old one.
"""

import time
from pathlib import Path

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError
from appliance.state import write_whole

FREE = 4
"""Failures without any delay: people mistype."""
LONGEST = 60.0
"""Seconds; the most that anybody is made to wait."""
FORGET = 900.0
"""Seconds without a failure after which all is forgotten."""


class Failures(msgspec.Struct, frozen=True):
    """So many in a row, the last of them then (seconds since the computer started)."""

    count: int = 0
    last: float = 0.0


def wait(failures: Failures, now: float) -> float:
    """Seconds until the next attempt may begin; 0.0: now."""
    if now - failures.last > FORGET or failures.count < FREE:
        return 0.0
    return max(failures.last + min(2.0 ** min(failures.count - FREE, 10), LONGEST) - now, 0.0)


def failed_again(failures: Failures, now: float) -> Failures:
    """One more."""
    return Failures(1 if now - failures.last > FORGET else failures.count + 1, now)


class Attempts:
    """The attempts at all screens of this computer together, as long as it runs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self) -> None:
        """Count an attempt before it is tried; raises ApplianceError ``login-too-often``.

        One whose count cannot be kept is not tried: this is root's door.
        """
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        known = self._read()
        if (seconds := wait(known, now)) > 0:
            text = "too many attempts with a wrong password"
            raise ApplianceError("login-too-often", text, f"wait {round(seconds + 0.5)} seconds, then try again")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._path, msgspec.json.encode(failed_again(known, now)))

    def succeeded(self) -> None:
        """It was right: all failures are forgotten."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> Failures:
        try:
            return decoded(self._path.read_bytes(), Failures)
        except FileNotFoundError:
            return Failures()
        except (OSError, msgspec.DecodeError):
            return Failures(FREE + 10, time.clock_gettime(time.CLOCK_BOOTTIME))  # somebody wrote into it: as if many
