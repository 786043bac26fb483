"""A clock that tests turn by hand."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds since 1970, where the code under test asks what time it is."""

    now: float = 1_795_200_000.0

    def __call__(self) -> float:
        return self.now
