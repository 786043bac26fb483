"""Where the networks are kept: which layout is confirmed, which one is tried, and the files that follow from it.

``/state/etc/qrm/network.json`` has the confirmed layout, ``network.pending`` beside it one that is tried. The files of
systemd-networkd follow from one of the two and are never read back: whatever a crash leaves of them, they are written
again. A change goes through these steps, and may be cut off between any two:

 1. the timer is started that takes back what is tried;      nothing has changed yet
 2. ``network.pending`` appears (one rename);                 from here on it is taken back, by the timer or at boot
 3. the files are written, and networkd reads them
 4. ``network.pending`` becomes ``network.json`` (one rename); from here on the change lasts
 5. the daemon's configuration follows, and the daemon starts again where it has to
 6. ``network.json`` is written without the time of the trial; one that has it is finished by the timer or at boot
 7. the timer is stopped

It is taken back by writing the files of ``network.json`` again, having networkd read them, and removing
``network.pending`` last: cut off anywhere, it is done again.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError, Conflict
from appliance.networking.layout import Layout
from appliance.networking.render import PREFIX, render
from appliance.privileged import durable
from appliance.privileged.computer import Roots
from appliance.privileged.verbs.network import Reverted, Trial

T = TypeVar("T")


class Kept(msgspec.Struct, frozen=True):
    """What stands in both files, so that one can become the other."""

    layout: Layout
    until: float = 0.0
    """Of one that is tried: when it is taken back, Unix time; 0 once all that follows from it is done."""
    moves: dict[str, str] = {}
    """Interfaces whose networks go on under another name, old to new: subnets follow."""


class NetworkState:
    """The files below the roots. All that writes holds ``alone``."""

    def __init__(self, roots: Roots) -> None:
        kept = roots.state / "etc" / "qrm"
        self._confirmed, self._pending = kept / "network.json", kept / "network.pending"
        self._reverted = kept / "network.reverted"
        self._files = roots.state / "etc" / "systemd" / "network"
        self._lock = roots.run / "appliance" / "network.lock"

    @contextmanager
    def alone(self, wait: bool = False) -> Iterator[None]:
        """For the length of the with-block nobody else changes the networks, in this process or another.

        Raises Conflict ``network-busy`` where somebody does, unless it is to ``wait`` for them. A process that is
        killed holds nothing any more (flock(2)).
        """
        durable.make_directory(self._lock.parent)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise Conflict("network-busy", "the network is being changed", "look again in a moment") from None
            yield
        finally:
            os.close(descriptor)

    def confirmed(self) -> Layout | None:
        """The layout that was confirmed, None before the first; raises ApplianceError ``network-unreadable``."""
        found = self._kept()
        return found.layout if found else None

    def unfinished(self) -> Kept | None:
        """A confirmed change of which not all was done that follows from it."""
        found = self._kept()
        return found if found and found.until else None

    def _kept(self) -> Kept | None:
        text = durable.read(self._confirmed)
        try:
            return None if text is None else decoded(text, Kept)
        except msgspec.DecodeError as error:
            hint = "put a good one there, or remove it: every NIC then asks for an address by DHCP"
            raise ApplianceError("network-unreadable", f"{self._confirmed}: {error}", hint) from error

    def tried(self) -> Trial | None:
        """The layout that waits to be confirmed."""
        found = self._decoded(durable.read(self._pending), Kept)
        return Trial(found.layout, found.until) if found else None

    @property
    def is_trying(self) -> bool:
        """Whether a change waits to be confirmed or taken back, be it one that cannot be read."""
        return self._pending.exists()

    def reverted(self) -> Reverted | None:
        """The last change that was taken back."""
        return self._decoded(durable.read(self._reverted), Reverted)

    def _decoded(self, text: str | None, kind: type[T]) -> T | None:
        try:
            return None if text is None else decoded(text, kind)
        except msgspec.DecodeError:
            return None

    def begin(self, trial: Trial, moves: dict[str, str]) -> None:
        """A change is tried from now on; what was taken back before is no news any more."""
        durable.remove(self._reverted)
        durable.write(self._pending, _json(Kept(trial.layout, trial.until, moves)), 0o600)

    def keep(self) -> None:
        """What is tried lasts; it is ``unfinished`` until ``finish``."""
        durable.move(self._pending, self._confirmed)

    def finish(self, layout: Layout) -> None:
        """A layout of which all is done that follows from it, or that nobody has to confirm."""
        durable.write(self._confirmed, _json(Kept(layout)), 0o600)

    def note_reverted(self, of: Reverted) -> None:
        """Why a change is taken back."""
        durable.write(self._reverted, _json(of), 0o600)

    def end(self) -> None:
        """Nothing is tried any more."""
        durable.remove(self._pending)

    def write_files(self, layout: Layout) -> None:
        """The files of networkd and udev are those of this layout."""
        durable.put(self._files, render(layout), PREFIX)


def _json(value: msgspec.Struct) -> str:
    return msgspec.json.format(msgspec.json.encode(value).decode()) + "\n"
