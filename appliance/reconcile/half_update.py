"""An update that is half uploaded. It takes the place of the one before with its first byte, and is looked at whole."""

from pathlib import Path

from appliance.half_upload import Half, Identity
from appliance.intake import Wish
from appliance.on_disk import sync
from appliance.reconcile.half_file import HalfFile
from appliance.reconcile.incoming_update import ABOUT_HALF, DIRECTORY, HALF, IncomingUpdate, check_size
from appliance.updates.bundle import NAME


class HalfUpdate(HalfFile):
    """One upload at a time; methods that are no coroutines block."""

    what = "another update"

    def __init__(self, state_dir: Path, incoming: IncomingUpdate) -> None:
        """``incoming`` is what waits already: it gives way to the first byte."""
        self._directory, self._incoming = state_dir / DIRECTORY, incoming
        super().__init__(self._directory / ABOUT_HALF, self._directory / HALF)

    def begin(
        self, of: Identity, by: str, now: float, *, replace: bool, becomes: Wish | None = None
    ) -> tuple[Half, int, bool]:
        """As of any file; raises Invalid ``bundle-unreadable`` for what is larger than any update."""
        check_size(of.size)
        return super().begin(of, by, now, replace=replace, becomes=becomes)

    def place(self) -> Path | None:
        """Where its bytes are: what is whole was handed over, and is looked at there. None: there are none yet."""
        if self._part.exists():
            return self._part
        whole = self._directory / NAME
        return whole if whole.exists() and self._incoming.waiting() is None else None

    def _back(self) -> None:
        """What was whole, and was being looked at when the daemon ended, is a half upload again."""
        place = self.place()
        if place is not None and place != self._part:
            place.rename(self._part)

    def _given(self, received: int) -> int:
        waits = self._incoming.waiting()
        return waits.size if waits and not received else 0

    def _first_byte(self) -> None:
        if self._incoming.there():
            self._incoming.discard()  # now that bytes come, the one before gives its room

    def hand_over(self) -> None:
        """Put what is whole where it is looked at and installed from. It stays an upload until ``done``."""
        with self._storing():
            self._part.replace(self._directory / NAME)
            sync(self._directory)
