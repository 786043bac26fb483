"""The daemon's side of the privileged helper: one connection for each call, errors as they were raised over there."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from appliance.errors import ApplianceError
from appliance.privileged.verb import Line, Verb
from appliance.privileged.wire import LARGEST_LINE, read_line, read_result, request_line

SOCKET = Path("/run/appliance/helper.sock")
"""Where systemd listens for the helper."""
R = TypeVar("R")
Hears = Callable[[float | None, str], None]


def _unheard(progress: float | None, message: str) -> None:
    """For calls whose progress nobody wants to know."""


class Privileged:
    """Asks the privileged helper; one object serves any number of calls at once."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = path

    @property
    def here(self) -> bool:
        """Whether this computer has a helper: whether it is a flashed appliance."""
        return self._path.is_socket()

    async def call(self, verb: Verb[R], hears: Hears = _unheard) -> R:
        """The result of a verb; ``hears`` is told (0 to 1 or None, message) while it goes on.

        A cancelled call closes the connection, which ends the verbs that may be left in the middle. Raises what the
        verb raised, and ApplianceError: ``helper-missing`` where there is none, ``helper-down`` where there is one that
        nobody answers for, ``helper-gone`` when it went away in
        the middle (what it did is then unknown, and has to be asked), ``helper-silent``, ``helper-broken``.
        """
        request = request_line(verb)
        reader, writer = await self._connected()
        try:
            writer.write(request)
            while True:
                line = await _next(reader, verb)
                if line.result is not msgspec.UNSET:
                    return read_result(line, verb)
                hears(line.progress, line.message)
        finally:
            writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_unix_connection(str(self._path), limit=LARGEST_LINE)
        except OSError as error:
            if error.errno == errno.EACCES:
                text = f"{self._path} is closed to this user"
                raise ApplianceError("helper-closed", text, "ask as root, or as the user of the daemon") from error
            raise (_down(self._path, error) if self.here else missing()) from error


async def _next(reader: asyncio.StreamReader, verb: Verb[R]) -> Line:
    """The next whole line."""
    try:
        async with asyncio.timeout(verb.patience):
            line = await reader.readline()
    except TimeoutError:
        text = f"{verb.name}: the privileged helper has said nothing for {verb.patience:.0f} seconds"
        hint = "look at its journal: journalctl -u appliance-helper.service"
        raise ApplianceError("helper-silent", text, hint) from None
    except (OSError, ValueError) as error:  # ValueError: a line beyond all bounds
        raise _gone(verb) from error
    if not line.endswith(b"\n"):
        raise _gone(verb)
    return read_line(line)


def missing() -> ApplianceError:
    """What is said where there is no privileged helper."""
    text = "this computer has no privileged helper: it is not a flashed appliance"
    hint = (
        "network, updates, disks and power of an appliance that was installed as a package belong to its administrator"
    )
    return ApplianceError("helper-missing", text, hint)


def _down(path: Path, error: OSError) -> ApplianceError:
    """The socket is left over: the unit that listened there has failed or was stopped (ECONNREFUSED, unix(7))."""
    text = f"the privileged helper of this appliance does not run: {path}: {error.strerror or error}"
    hint = "restart the appliance; why it failed is told by: journalctl -u appliance-helper.socket -u appliance-helper"
    return ApplianceError("helper-down", text, hint)


def _gone(verb: Verb[R]) -> ApplianceError:
    text = f"{verb.name}: the privileged helper ended in the middle; what it has done is not known"
    return ApplianceError("helper-gone", text, "look at the present state, then ask again")
