"""`make fuzz`: ten million packets for each protocol, two protocols at a time.

make fuzz ARGS='dhcp dns --packets 100000 --seed 7'
"""

import argparse
import secrets
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.fuzz.run import TARGETS, Ran, run

PACKETS = 10_000_000
AT_ONCE = 2
FLAT = 8_000_000
"""Bytes that memory may grow by after the warm-up: what the allocator of Python and libc wobbles by."""


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Feed decoders and responders with broken packets.")
    parser.add_argument("protocols", nargs="*", default=[*TARGETS], help=f"of {', '.join(TARGETS)}; all when left out")
    parser.add_argument("--packets", type=int, default=PACKETS, help="for each protocol")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for each protocol at most")
    parser.add_argument("--seed", type=int, default=None, help="to have the same packets again")
    found = parser.parse_args(words)
    if unknown := set(found.protocols) - set(TARGETS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return found


def main(words: list[str]) -> int:
    """Run them; 1 where something was found, or memory grew."""
    asked = _arguments(words)
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    harmless = True
    with ProcessPoolExecutor(AT_ONCE) as workers:
        runs = {workers.submit(run, name, seed, asked.packets, asked.seconds): name for name in asked.protocols}
        for done in as_completed(runs):
            harmless &= _told(runs[done], done.exception() or done.result())
    return 0 if harmless else 1


def _told(name: str, came: BaseException | Ran) -> bool:
    """Print what became of a run; whether all is well."""
    if isinstance(came, BaseException):
        print(f"{name:8} {came}", flush=True)
        return False
    grew = "" if came.growth <= FLAT else "  MEMORY GROWS"
    print(
        f"{name:8} {came.packets:>11,} packets  {came.rate:>8,.0f} a second  {came.memory / 1e6:6.1f} MB, "
        f"{came.growth / 1e6:+.1f} MB after the warm-up{grew}",
        flush=True,
    )
    return not grew


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
