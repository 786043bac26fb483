"""What survives a power cut: a file's content, and the names in a directory."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """When this returns, a file's content, or what was made, renamed and removed in a directory, is on the disk.

    Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all; file and name are on the disk when this returns. Raises OSError."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync(path.parent)
