"""The daemon's configuration file, and what the computer is called and goes by. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Done, Verb


class Configured(msgspec.Struct, frozen=True):
    """What is in force."""

    text: str
    """Of the configuration file; empty before set-up."""
    host_name: str
    time_zone: str
    """Name in the time zone database, as ``Europe/Berlin``."""
    time_servers: tuple[str, ...]
    """Those that were written by ``configuration.time-servers``; none: the ones that the image comes with."""


class Read(Verb[Configured], frozen=True):
    """All of it."""

    name: ClassVar[str] = "configuration.read"


class Write(Verb[Done], frozen=True):
    """Write the configuration file; the daemon reads it when it starts.

    Raises Invalid ``config-syntax``, ``config-invalid``.
    """

    name: ClassVar[str] = "configuration.write"

    text: str


class HostName(Verb[Done], frozen=True):
    """Call the computer something: one label of DNS, without its domain. Raises Invalid ``host-name-invalid``."""

    name: ClassVar[str] = "configuration.host-name"

    host_name: str


class TimeZone(Verb[Done], frozen=True):
    """Show local times in another zone. Raises Invalid ``time-zone-unknown``."""

    name: ClassVar[str] = "configuration.time-zone"

    zone: str


class TimeServers(Verb[Done], frozen=True):
    """Ask other servers for the time; none: those that the image comes with. Raises Invalid ``time-server-invalid``."""

    name: ClassVar[str] = "configuration.time-servers"

    servers: tuple[str, ...]
    serve: tuple[str, ...] = ()
    """Networks that may ask us for the time, as ``10.77.0.0/24``."""
