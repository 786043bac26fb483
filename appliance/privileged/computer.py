"""What verbs act on: the directories that are theirs, the programs of the computer, and how far they say they are."""

import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from appliance import command
from appliance.privileged.lio import Lio
from appliance.privileged.targets import Targets


class Says(Protocol):
    """Runs a program to its end and has its standard output; raises ApplianceError as ``command.said`` does."""

    def __call__(self, argv: Sequence[str], /, seconds: float = 30.0) -> Awaitable[str]:
        """``argv`` is a list of words of ours, never a line from elsewhere."""


@dataclass(frozen=True, slots=True)
class Roots:
    """The directories that the helper may touch, and no others."""

    state: Path = Path("/state")
    """The state partition."""
    etc: Path = Path("/etc")
    run: Path = Path("/run")
    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    dev: Path = Path("/dev")
    boot: Path = Path("/boot")
    """The ESP is below it."""
    share: Path = Path("/usr/share")
    """Read only."""

    @staticmethod
    def below(directory: Path) -> "Roots":
        """All of them inside a directory, made if they are missing: a computer of paper for tests."""
        places = {each: directory / each for each in ("state", "etc", "run", "sys", "proc", "dev", "boot", "share")}
        for place in places.values():
            place.mkdir(parents=True, exist_ok=True)
        return Roots(**places)


async def _run(argv: Sequence[str], seconds: float = 30.0) -> str:
    # Words of programs are read by us: they must be those of no language but the one we know.
    return await command.said(argv, {"LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}, seconds)


class Follows(Protocol):
    """As ``Says``; ``hears`` gets each line as soon as the program says it."""

    def __call__(self, argv: Sequence[str], hears: Callable[[str], None], /, seconds: float = 30.0) -> Awaitable[str]:
        """``argv`` is a list of words of ours, never a line from elsewhere."""


async def _follow(argv: Sequence[str], hears: Callable[[str], None], seconds: float = 30.0) -> str:
    return await command.heard(argv, {"LC_ALL": "C.UTF-8"}, hears, seconds)


def _listening(address: str, port: int) -> socket.socket:
    """By TCP; raises OSError."""
    return socket.create_server((address, port))


@dataclass(frozen=True, slots=True)
class Computer:
    """The computer, as far as verbs may touch it."""

    roots: Roots = field(default_factory=Roots)
    run: Says = _run
    follow: Follows = _follow
    listen: Callable[[str, int], socket.socket] = _listening
    """A socket that listens at an address, for the kernel to take over."""
    targets: Targets = field(default_factory=Lio)
    """iSCSI targets, in the kernel."""
    group: int = -1
    """The group that may read what the daemon has to read; -1 leaves files to who wrote them (chown(2))."""


class Tell(Protocol):
    """Says how far a verb is; the client hears it at once."""

    def __call__(self, progress: float | None, message: str = "") -> None:
        """``progress`` from 0 to 1, None where it is not known."""


Act = Callable[..., Awaitable[object]]


def running_as_root() -> bool:
    """Whether this process may do what verbs do."""
    return os.geteuid() == 0
