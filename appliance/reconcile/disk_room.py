"""How much of the disk files that arrive may fill: leases, and all other state, are written to it too."""

import os

from appliance.errors import ApplianceError

RESERVE = 1 << 30
"""Bytes that uploads leave free; a twentieth of a file system that is small."""


def check_room(descriptor: int, needed: int) -> None:
    """Raise ApplianceError ``upload-failed`` where an upload of ``needed`` more bytes would leave too little."""
    found = os.fstatvfs(descriptor)
    free, reserve = found.f_bavail * found.f_frsize, min(RESERVE, found.f_blocks * found.f_frsize // 20)
    if free - reserve < needed:
        message = (
            f"there is no room for the upload: {free / 1e9:.1f} GB are free, of which {reserve / 1e9:.1f} GB are kept"
            f" for the state, and {needed / 1e9:.1f} GB are needed at least"
        )
        raise ApplianceError("upload-failed", message, "delete images that nobody needs, or free other space")


def append(descriptor: int, chunk: bytes) -> None:
    """Write all of it where there is room for it; raises as ``check_room`` does, and OSError."""
    check_room(descriptor, len(chunk))
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]
