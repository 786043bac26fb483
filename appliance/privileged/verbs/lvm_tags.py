"""The tags that mark what is ours in LVM: which group is a pool, which logical volume is which volume. Pure.

A tag has letters, digits and ``_+.-/=!:&#`` (lvm(8)), which is more than the name of a volume has.
"""

from collections.abc import Iterable

POOL = "qrm.pool"
"""Of a volume group."""
THIN_POOL = "qrm.thin-pool"
"""Of the logical volume that is its thin pool."""
OLD_METADATA = "qrm.old-metadata"
"""Of what a repair of the thin pool's metadata has left."""
ID, NAME, CREATED, ORIGIN = "qrm.id", "qrm.name", "qrm.created", "qrm.origin"
STATE = "qrm.state"
"""What is under way with it; a volume without it is whole."""
MAKING = "making"
"""Its content is not there yet."""
STANDS_IN = "rolling-back"
"""It is to take the place of the one with the same id."""
REPLACED = "replaced"
"""Another one has its place."""
GROWN_FROM = "qrm.grown-from"
"""Bytes that it had; what is behind them may still hold what was on the disk before."""

FILE_SYSTEM = "qrm.filesystem"
"""Type of a file system in it that our own programs have made, and that went only through a kernel's file system since.

Only such a one is mounted and exported as a directory. A copy has it, too; it goes before anybody writes to the blocks.
"""


def tag(key: str, value: object) -> str:
    """One with a value."""
    return f"{key}={value}"


def values(tags: Iterable[str]) -> dict[str, str]:
    """What all of them say, by their keys; of several with one key the first counts."""
    found: dict[str, str] = {}
    for each in tags:
        key, says, text = each.partition("=")
        if says:
            found.setdefault(key, text)
    return found


def value(tags: Iterable[str], key: str) -> str:
    """Of the first tag with this key; empty where there is none."""
    begin = f"{key}="
    for each in tags:
        if each.startswith(begin):
            return each[len(begin) :]
    return ""
