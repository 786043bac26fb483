"""Having an ATA disk erase itself, without ever leaving it locked.

A disk erases itself for whoever knows its password, so it is given one first: one that is known. Whatever breaks the
erase off, the disk is then locked with it, and opened again by the next who looks (`mend`).
"""

from collections.abc import Callable
from contextlib import suppress

from ..errors import StepFailed
from . import ata
from .drive import Drive
from .methods import Method
from .minder import Minder
from .passthrough import Refused

LEAST_SECONDS = 12 * 3600.0
"""For one erase, of disks that say less, or nothing: cut off by the kernel it would be broken off for good."""
MARGIN = 3
"""How many times its own estimate a disk may take."""


def read_identity(drive: Drive) -> ata.Identity:
    """Raises Refused, ValueError, OSError."""
    return ata.decode_identity(drive.ata(ata.identify()).data)


def hidden_bytes(drive: Drive, identity: ata.Identity) -> int:
    """Bytes that a host protected area or a configuration overlay hides; a disk that does not say hides none.

    Nothing but the disk's own erase reaches them, and not every disk's does: users hear of them.
    """
    questions: list[tuple[bool, Callable[[], int]]] = [
        (identity.host_area, lambda: drive.ata(ata.native_max()).lba + 1),
        (identity.accessible, lambda: drive.ata(ata.accessible_max()).lba + 1),
        (identity.overlay, lambda: ata.decode_configuration(drive.ata(ata.configuration()).data)),
    ]
    most = identity.sectors
    for known, ask in questions:
        if known:
            with suppress(Refused, ValueError):
                most = max(most, ask())
    return (most - identity.sectors) * drive.disk.sector_size


def erase(drive: Drive, method: Method, security: ata.Security, minder: Minder) -> None:
    """Erase by the security commands. Raises Refused, StepFailed `disk-locked`, Abandoned, OSError, ValueError."""
    try:
        drive.ata(ata.set_password())
        _erase_unit(drive, method is Method.ATA_ERASE_ENHANCED, security, minder)
    finally:
        _open(drive)


def mend(drive: Drive, minder: Minder) -> bool:
    """Open a disk that an erase of ours has left with our password; by erasing it where nothing else does.

    Returns whether there was something to mend: a wipe of the disk had begun. A disk with a password that is not
    ours is refused by the disk itself: StepFailed `disk-locked`. Raises Refused, Abandoned, OSError, ValueError too.
    """
    before = read_identity(drive).security
    if not before.enabled:
        return False
    if not before.locked:
        return _without_password(drive)
    with suppress(Refused):
        drive.ata(ata.unlock())
    if not _without_password(drive):
        # Some disks, once broken off, take nothing but another erase: they check our password for that, too.
        with suppress(Refused):
            _erase_unit(drive, before.enhanced, before, minder)
        _open(drive)
    return True


def open_again(drive: Drive) -> bool:
    """Unlock a disk that an erase of ours has left locked; nothing on it changes. Whether that was so and is mended.

    Raises Refused, OSError, ValueError.
    """
    if not read_identity(drive).security.locked:
        return False
    drive.ata(ata.unlock())
    return _without_password(drive)


def _erase_unit(drive: Drive, enhanced: bool, security: ata.Security, minder: Minder) -> None:
    minutes = security.enhanced_minutes if enhanced else security.erase_minutes
    expected = minutes * 60.0 if minutes else None
    command = ata.erase_unit(enhanced, max(LEAST_SECONDS, MARGIN * (expected or 0)))
    drive.ata(ata.erase_prepare())
    minder.mind(lambda: drive.ata(command), expected, "the disk erases itself")


def _without_password(drive: Drive) -> bool:
    """Take our password away, where the disk is open; whether it has none then."""
    with suppress(Refused):
        drive.ata(ata.disable_password())
    return not read_identity(drive).security.enabled


def _open(drive: Drive) -> None:
    """Leave the disk without our password, whatever has happened. Raises StepFailed `disk-locked`."""
    security = read_identity(drive).security
    if not security.enabled:
        return
    if security.locked:
        with suppress(Refused):
            drive.ata(ata.unlock())
    if not _without_password(drive):
        raise StepFailed("disk-locked", locked_in_words(drive, security))


def locked_in_words(drive: Drive, security: ata.Security) -> str:
    """What a person has to know of a disk that stays locked."""
    tries = "; it takes no more tries before it was without power" if security.expired else ""
    return (
        f"disk {drive.disk} is locked with a password, and ours, {ata.PASSWORD.decode()!r}, does not open it{tries}."
        " Switch the machine off and on and retry, or replace the disk"
    )
