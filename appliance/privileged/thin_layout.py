"""How the room of a group is divided when a thin pool is made in it. Pure.

lvmthin(7): data, metadata, a spare of the metadata for repairs; what is left lets both grow later.
"""

from dataclasses import dataclass

from appliance.errors import Conflict

CHUNK = 128 << 10
"""Bytes that a volume takes of the pool at a time, at least: less makes clones of large images slow to note, more makes
what is written into them copy more."""
MOST_CHUNKS = 1 << 27
"""Of which a pool's metadata tell whose they are: 8 GiB of them."""
NOTE = 64
"""Bytes of metadata for each chunk (lvmthin(7))."""
LEAST_METADATA, MOST_METADATA = 8 << 20, 15 << 30
"""Bytes; the kernel takes at most 15.8 GiB."""
KEPT = 16
"""The part of the group, or of a disk that is added, that is kept for later: one of so many."""
LEAST = 64 << 20
"""Bytes of a group that a thin pool can be made in."""


@dataclass(frozen=True, slots=True)
class ThinLayout:
    """In bytes; data and metadata are whole extents."""

    data: int
    metadata: int
    chunk: int


def thin_layout(free: int, extent: int) -> ThinLayout:
    """For a group that has so much left; raises Conflict ``pool-too-small``."""
    if free < max(LEAST, 16 * extent):
        text = f"a thin pool needs {max(LEAST, 16 * extent)} bytes at least; the group has {free} left"
        raise Conflict("pool-too-small", text, "take a larger disk, or make it thick")
    chunk = CHUNK
    while free // chunk > MOST_CHUNKS:
        chunk *= 2
    wanted = min(max(free // chunk * NOTE, LEAST_METADATA), MOST_METADATA)
    metadata = -(-wanted // extent) * extent
    data = (free - 2 * metadata - free // KEPT) // extent * extent
    return ThinLayout(data, metadata, chunk)
