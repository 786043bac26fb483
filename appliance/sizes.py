"""Sizes as people type them: a number, and a unit behind it or the one that is meant without. Pure."""

import re
from decimal import Decimal

from appliance.errors import Invalid

KIB, KB = 1024, 1000
UNITS = {
    "kb": KB, "mb": KB**2, "gb": KB**3, "tb": KB**4,
    "kib": KIB, "mib": KIB**2, "gib": KIB**3, "tib": KIB**4,
    "k": KIB, "m": KIB**2, "g": KIB**3, "t": KIB**4,
}  # fmt: skip
"""Unit in lower case -> bytes. A letter alone is binary, as LVM and QEMU read it."""
LARGEST = 2**50
"""Bytes that a size may have: a PiB."""
_SIZE = re.compile(r"([0-9]{1,20}(?:[.,][0-9]{1,20})?)\s*([A-Za-z]*)", re.ASCII)


def parse_size(text: str, unit: str, field: str = "") -> int:
    """Bytes of "64GiB", "1.5 TB", or of a number alone, which counts ``unit``s; raises Invalid ``size-invalid``."""
    found = _SIZE.fullmatch(text.strip())
    factor = UNITS.get((found[2] or unit).lower()) if found else None
    if found is None or factor is None:
        hint = f"write a number, with a unit such as 100GB or 64GiB; without one it counts {unit}"
        raise Invalid("size-invalid", f"{text[:40]!r} is no size", hint, field)
    size = int(Decimal(found[1].replace(",", ".")) * factor)
    if not 1 <= size <= LARGEST:
        why = "is nothing" if size < 1 else "is more than a machine has"
        raise Invalid("size-invalid", f"{text[:40]!r} {why}", f"a number alone counts {unit}", field)
    return size


def in_unit(size: int | None, unit: str) -> str:
    """Bytes as a number of ``unit``s, which ``parse_size`` reads as the same size; empty for none."""
    return f"{size / UNITS[unit.lower()]:.15g}" if size else ""
