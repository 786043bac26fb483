"""A file that keeps some room on the file system of the state, to be given up when nothing else is left.

Whoever has to delete images or old backups needs room for that too: the store notes what is deleted.
"""

import os
from contextlib import suppress
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.on_disk import sync

NAME = "reserve"
LARGEST = 64 << 20
"""Bytes: minutes of everything that a large fleet stores, and next to nothing of any disk that is sold."""
SHARE = 16
"""A small file system gives one part in so many."""


class Reserve:
    """The reserve of one state directory. What fails leaves things as they are: it is a help, no promise."""

    def __init__(self, directory: Path) -> None:
        """Raises ApplianceError ``state-unusable`` where the directory cannot be looked at."""
        self._directory, self._path = directory, directory / NAME
        try:
            found = os.statvfs(directory)
        except OSError as error:
            message = f"{directory}: {error.strerror}"
            raise ApplianceError("state-unusable", message, "look at the disk that holds it") from error
        self.size = min(LARGEST, found.f_blocks * found.f_frsize // SHARE)
        """Bytes that it holds."""

    @property
    def held(self) -> bool:
        """Whether the room is kept."""
        return self._path.exists()

    def take(self) -> bool:
        """Keep the room from now on; False where there is not enough of it. One that is there already stays."""
        part = self._path.with_suffix(".part")
        try:
            if self.held:
                return True
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self.size)
            finally:
                os.close(descriptor)
            part.replace(self._path)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            return False
        return True

    def give_up(self) -> None:
        """Let the room go; the store can have it at once."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            sync(self._directory)

    def give_up_if_full(self) -> None:
        """Before a start: a store that is opened writes a little, and without that nothing would boot."""
        with suppress(OSError):
            found = os.statvfs(self._directory)
            if found.f_bavail * found.f_frsize < self.size // 2:
                self.give_up()
