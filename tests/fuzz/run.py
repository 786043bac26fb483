"""Feed a target with packets, and look what that costs."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.fuzz.control import ControlFuzz
from tests.fuzz.dhcp import DhcpFuzz
from tests.fuzz.dns import DnsFuzz
from tests.fuzz.http import HttpFuzz
from tests.fuzz.mutation import Chance, mutated
from tests.fuzz.tftp import TftpFuzz

PAGE = 4096
LOOK_EVERY = 1000
"""Packets between two looks at the clock."""
WARM = 0.2
"""The part of a run after which memory is measured for the first time: caches are full by then."""


class Target(Protocol):
    """One protocol's decoders and pure responders."""

    real: list[bytes]

    def feed(self, data: bytes, chance: Chance) -> None:
        """Take a packet; raises whatever must not happen."""


TARGETS: dict[str, Callable[[], Target]] = {
    "dhcp": DhcpFuzz,
    "tftp": TftpFuzz,
    "dns": DnsFuzz,
    "http": HttpFuzz,
    "control": ControlFuzz,
}


class FoundError(AssertionError):
    """A packet that did harm; the text says which, and how to have it again."""


@dataclass(frozen=True)
class Ran:
    """What a run came to."""

    packets: int
    seconds: float
    memory: int
    """Bytes of resident memory at the end."""
    growth: int
    """Bytes of it that came after the warm-up."""

    @property
    def rate(self) -> float:
        """Packets a second."""
        return self.packets / self.seconds


def run(name: str, seed: int, packets: int, seconds: float = float("inf")) -> Ran:
    """Feed so many packets, or for so long; raises FoundError. The same seed feeds the same packets."""
    target, chance, began = TARGETS[name](), Chance(seed), time.perf_counter()
    fed, warm = 0, 0
    while fed < packets and (passed := time.perf_counter() - began) < seconds:
        if not warm and (fed >= packets * WARM or passed >= seconds * WARM):
            warm = _memory()
        for _ in range(min(LOOK_EVERY, packets - fed)):
            _feed(name, target, chance, seed, fed)
            fed += 1
    end = _memory()
    return Ran(fed, time.perf_counter() - began, end, end - (warm or end))


def _feed(name: str, target: Target, chance: Chance, seed: int, number: int) -> None:
    data = mutated(target.real, chance)
    try:
        target.feed(data, chance)
    except Exception as error:
        again = f"make fuzz ARGS='{name} --seed {seed} --packets {number + 1}'"
        raise FoundError(f"packet {number} of {name}: {error!r}\n{data.hex()}\n{again}") from error


def _memory() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
