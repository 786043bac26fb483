"""Carries out the verbs of ``verbs/journal.py``, through journalctl(1)."""

from appliance.errors import Invalid
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verbs.journal import KERNEL, MOST, SOURCES, LastLines, Lines

LONGEST_LINE = 2000
"""Characters; the rest of a longer one is left out."""
LARGEST = 1 << 20
"""Characters of one answer: beyond that the oldest lines are left out."""


async def lines(verb: Lines, on: Computer, tell: Tell) -> LastLines:
    """Raises Invalid ``unit-refused``, ``count-invalid``, and ApplianceError as ``command.said`` does."""
    if verb.unit not in SOURCES:
        text = f"the journal of {verb.unit[:80]!r} is not shown"
        raise Invalid("unit-refused", text, f"name one of {', '.join(SOURCES)}", "unit")
    if not 1 <= verb.count <= MOST:
        raise Invalid("count-invalid", f"{verb.count} lines are not shown", f"ask for 1 to {MOST}", "count")
    which = ["--dmesg"] if verb.unit == KERNEL else [f"--unit={verb.unit}"]
    argv = ["journalctl", *which, f"--lines={verb.count}", "--output=short-iso", "--no-pager", "--quiet"]
    return LastLines(_bounded((await on.run(argv)).splitlines()))


def _bounded(found: list[str]) -> list[str]:
    kept: list[str] = []
    size = 0
    for line in reversed(found):
        kept.append(line[:LONGEST_LINE])
        size += len(kept[-1])
        if size > LARGEST:
            break
    return kept[::-1]
