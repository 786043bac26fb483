"""A FAT file system in a file, by mtools(1): nothing is mounted. Pure."""

from collections.abc import Mapping
from pathlib import PurePosixPath

SMALLEST_WIDE = 48 << 20
"""Bytes: a FAT32, which firmware expects of an ESP, has 65,525 clusters at least ("Microsoft FAT Specification")."""


def filled(file: str, size: int, label: str, serial: str, files: Mapping[str, str]) -> list[list[str]]:
    """The words of the programs that make it, one after the other, in ``file``, which has ``size`` bytes already.

    ``serial``: eight hexadecimal digits; ``files``: path in it -> what is copied there.
    """
    wide = ["-F"] if size >= SMALLEST_WIDE else []
    words = [["mformat", "-i", file, *wide, "-N", serial, "-v", label, "::"]]
    folders = sorted({str(one) for path in files for one in PurePosixPath(path).parents} - {"."})
    if folders:
        words.append(["mmd", "-i", file, *(f"::/{folder}" for folder in folders)])
    return words + [["mcopy", "-i", file, source, f"::/{path}"] for path, source in files.items()]
