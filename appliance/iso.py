"""ISOs: the content of CDs and DVDs that VMs find in their drives. Pure."""

from dataclasses import dataclass
from typing import NewType

IsoId = NewType("IsoId", int)


@dataclass(frozen=True, slots=True)
class Iso:
    """One of them, as stored."""

    id: IsoId
    name: str
    description: str
    size: int
    """Bytes."""
    sha256: str
    """Of the whole file, hexadecimal. It also names the file, so that no drive ever finds another disc in its place."""
    created: float
    """Unix time."""
    label: str = ""
    """Its volume identifier, by which systems look for their medium."""
    firmware: tuple[str, ...] = ()
    """What starts from it: ``bios``, ``uefi``; empty: nothing does."""


def file_name(sha256: str) -> str:
    """What the file with this content is called."""
    return f"{sha256}.iso"
