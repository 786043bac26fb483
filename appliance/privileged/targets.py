"""The kernel's iSCSI target as far as we need it: the seam that stands between us and LIO. Pure.

Each change is small, and the kernel may be asked at any time what there is: whoever makes several of them may be
killed between any two, and does the rest the next time.
"""

from dataclasses import dataclass
from typing import Protocol

PORT = 3260


@dataclass(frozen=True, slots=True)
class Store:
    """A device as something that targets can give out."""

    name: str
    device: str
    read_only: bool
    ready: bool
    """False: whoever made it was killed before it had its device."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An initiator that may log in."""

    name: str
    unit: bool
    """Whether it sees unit 0."""
    read_only: bool
    connected: bool
    """It is logged in."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target with its one group of portals."""

    name: str
    is_open: bool
    """Whether anybody may log in at all."""
    guarded: bool
    """It asks for a secret, lets in who is admitted and nobody else, and tells nobody else that it is there."""
    portals: tuple[str, ...]
    """``address:port``."""
    stores: tuple[str, ...]
    """Names of what it gives out."""
    admitted: tuple[Admitted, ...]


class Targets(Protocol):
    """LIO. Calls block; the module may not even be loaded, then there is nothing. Raises ApplianceError.

    ``iscsi-failed`` with what the kernel said; Conflict ``volume-in-use`` where somebody has the device for himself.
    """

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of all targets, and of all stores, whoever has made them."""
        ...

    def target(self, name: str) -> Target | None:
        """As it is at this moment."""
        ...

    def store(self, name: str) -> Store | None:
        """As it is at this moment."""
        ...

    def make_store(self, name: str, device: str, serial: str, read_only: bool) -> None:
        """The disk says this serial number. What a flush means is the device's own matter: none is ever left out."""
        ...

    def offer_discards(self, name: str) -> None:
        """Who has the disk may say what it needs no more; nothing happens where the device knows of no such thing."""
        ...

    def make_target(self, name: str) -> None:
        """Not open yet."""
        ...

    def guard(self, name: str) -> None:
        """As ``Target.guarded`` says."""
        ...

    def give(self, name: str, store: str) -> None:
        """As unit 0 of the target; what was left of an attempt is done again."""
        ...

    def admit(self, name: str, initiator: str) -> None:
        """It may log in, once it has a secret."""
        ...

    def set_secret(self, name: str, initiator: str, user: str, secret: str) -> None:
        """From the next log-in on."""
        ...

    def show(self, name: str, initiator: str, read_only: bool) -> None:
        """Unit 0 to the initiator; what was left of an attempt is done again."""
        ...

    def listen(self, name: str, address: str) -> None:
        """At this address of ours."""
        ...

    def open(self, name: str) -> None:
        """Whoever is admitted may log in."""
        ...

    def shut(self, name: str) -> None:
        """Sessions end at once, and nobody may log in."""
        ...

    def remove_target(self, name: str) -> None:
        """With all that it has; it is shut."""
        ...

    def remove_store(self, name: str) -> None:
        """The device is free again; nothing gives it out any more."""
        ...
