"""The appliance's own networks: how they are, and changes that go back unless they are confirmed. Pure."""

from typing import ClassVar

import msgspec

from appliance.networking.layout import Interface, Layout
from appliance.privileged.verb import Done, Verb


class Seen(msgspec.Struct, frozen=True):
    """An interface as the kernel has it at this moment."""

    name: str
    mac: str
    """The address that it was made with, where that is known."""
    is_nic: bool
    """Whether it is hardware."""
    link: bool
    """Whether there is somebody at the other end of the cable."""
    speed: int
    """Mbit/s; 0 where that is not known."""
    driver: str
    addresses: tuple[str, ...]
    """Global ones, with their prefixes."""


class Trial(msgspec.Struct, frozen=True):
    """A change that is on, and not confirmed yet."""

    layout: Layout
    until: float
    """Unix time at which it is taken back."""


class Reverted(msgspec.Struct, frozen=True):
    """The last change that was taken back."""

    layout: Layout
    at: float
    """Unix time."""
    why: str


class NetworkStatus(msgspec.Struct, frozen=True):
    """All that is known of the networks."""

    layout: Layout
    """The confirmed one: what comes back."""
    trial: Trial | None
    reverted: Reverted | None
    """Until another change is put on."""
    seen: tuple[Seen, ...]


class Status(Verb[NetworkStatus], frozen=True):
    """How the networks are."""

    name: ClassVar[str] = "network.status"


class Apply(Verb[Trial], frozen=True):
    """Put a layout on, for 60 seconds or until it is confirmed.

    Raises Conflict ``network-trying`` while another one waits for that, ``network-same``, ``network-unserved``, Invalid
    ``network-invalid`` or ``network-unreachable``.
    """

    name: ClassVar[str] = "network.apply"

    layout: Layout
    unserve: bool = False
    """Whether somebody agreed that subnets are not served any more which the change would leave without a network."""


class Admitted(msgspec.Struct, frozen=True):
    """NICs that have a place in the layout now; none where all had one."""

    nics: tuple[Interface, ...] = ()


class Admit(Verb[Admitted], frozen=True):
    """Give NICs that came after the start what they would have had at the start: a name, and a place in the layout.

    Raises Conflict ``network-trying`` while a change waits to be confirmed, ``network-busy``.
    """

    name: ClassVar[str] = "network.admit"


class Confirm(Verb[Done], frozen=True):
    """Keep what is tried. The daemon is restarted where it serves a network that has changed.

    Raises Conflict ``network-not-trying``.
    """

    name: ClassVar[str] = "network.confirm"


class Revert(Verb[Done], frozen=True):
    """Take back what is tried, at once. Raises Conflict ``network-not-trying``."""

    name: ClassVar[str] = "network.revert"
