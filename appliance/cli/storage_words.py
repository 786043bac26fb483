"""Sizes, shares and levels of pools and volumes, as ``qrm`` says them."""

from typing import Any

import click

from appliance.errors import Invalid
from appliance.sizes import parse_size

UNITS = (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10))
LEVELS = {
    "fine": "",
    "alert": "filling up: make or add room",
    "stop": "nearly full: no snapshots and clones any more",
    "full": "full: nothing can be written",
}


class VolumeSize(click.ParamType):  # type: ignore[type-arg]  # generic in some versions
    """Bytes, from a number with a unit; without one it counts GiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(value, "GiB")
        except Invalid as error:
            self.fail(f"{error.message}: write a number with a unit, such as 10G, 512MiB or 2TB", param, ctx)


def room(size: int | None) -> str:
    """Bytes in the binary units that volumes are made in; empty for what is not known."""
    if size is None:
        return ""
    for unit, bits in UNITS:
        if size >= 1 << bits:
            return f"{size / (1 << bits):.4g} {unit}"
    return f"{size} bytes"


def share(of: dict[str, int] | None) -> str:
    """How much of it is used, never less than it is."""
    if of is None:
        return ""
    return f"{-(-100 * of['used'] // of['total'])}%" if of["total"] else "100%"


def level_words(pool: dict[str, Any]) -> str:
    """How a pool is, in words."""
    words = [pool["trouble"] or LEVELS.get(pool["level"], pool["level"])]
    words.append("overcommitted" if pool["overcommitted"] else "")
    return ", ".join(filter(None, words)) or "fine"
