"""A process in which threads read documents of kinds that nobody has read before, all at once, again and again."""

import dataclasses
import sys
import threading
from collections.abc import Callable
from typing import Any

from appliance.decoding import converted, decoded
from appliance.store.documents import load

ROUNDS = 300
THREADS = 3


DOCUMENT = b'{"f7":[{"i7":1}],"a":{"i6":2}}'
VALUE = {"f7": [{"i7": 1}], "a": {"i6": 2}}
WAYS: tuple[Callable[[Any], object], ...] = (
    lambda of: load(DOCUMENT, of),
    lambda of: decoded(DOCUMENT, list[of] | of),
    lambda of: converted(VALUE, of),
)
"""One for each thread, round about: they meet the same classes by different doors."""


def kind() -> type:
    """A new one, with another one in it: that is known as soon as somebody begins to look at it."""
    fields = [(f"i{number}", int | None, None) for number in range(8)]
    inner = dataclasses.make_dataclass("Inner", fields, frozen=True)
    lists = [(f"f{number}", list[inner], dataclasses.field(default_factory=list)) for number in range(8)]
    return dataclasses.make_dataclass("Outer", [("a", inner | None, None), *lists], frozen=True)


def main() -> None:
    """Until all are done."""
    sys.setswitchinterval(1e-6)
    for _ in range(ROUNDS):
        of, begin = kind(), threading.Barrier(THREADS)

        def read(way: Callable[[Any], object], of: type = of, begin: threading.Barrier = begin) -> None:
            begin.wait()
            way(of)

        threads = [threading.Thread(target=read, args=[WAYS[number % len(WAYS)]]) for number in range(THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    print("all were read")


if __name__ == "__main__":
    main()
