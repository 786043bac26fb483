"""What the person who waits sees, on stderr: phases with elapsed seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def phase(artefact: str, doing: str) -> Iterator[None]:
    """Announce a phase, and say how long it took when it is over."""
    begun = time.monotonic()
    say(f"{artefact}: {doing} ...")
    yield
    say(f"{artefact}: {doing}: {time.monotonic() - begun:.0f} s")


def say(line: str) -> None:
    """One line for people; stdout belongs to the result."""
    print(line, file=sys.stderr, flush=True)
