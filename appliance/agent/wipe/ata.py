"""What ATA disks can erase, and the commands for it (pure).

ATA/ATAPI Command Set 3 (ACS-3): IDENTIFY DEVICE 7.12, the Security feature set 4.20. How commands travel: SCSI / ATA
Translation 3 (SAT-3), ATA PASS-THROUGH (16) 12.2.3.
"""

import struct
from dataclasses import dataclass

SECTOR = 512
PASSWORD = b"qrm-wipe"
"""No secret: a disk asks for a password before it erases itself. With one that is known a disk whose power was cut
in the meantime can be unlocked again, by us or by anybody with hdparm(8)."""

IDENTIFY, SET_PASSWORD, UNLOCK, ERASE_PREPARE, ERASE_UNIT, DISABLE_PASSWORD = 0xEC, 0xF1, 0xF2, 0xF3, 0xF4, 0xF6
NATIVE_MAX_EXT, ACCESSIBLE_MAX_EXT, CONFIGURATION = 0x27, 0x78, 0xB1
NO_DATA, DATA_IN, DATA_OUT = 3, 4, 5
"""Protocols of a pass-through (SAT-3, table 102)."""


@dataclass(frozen=True)
class Command:
    """One ATA command. `send` or `receive` is one sector of data or none; `extended` makes it a 48-bit one.

    `registers` has the disk's registers come back. `seconds` is how long the kernel waits for its end.
    """

    code: int
    feature: int = 0
    send: bytes = b""
    receive: int = 0
    extended: bool = False
    registers: bool = False
    seconds: float = 60.0

    def cdb(self) -> bytes:
        """The SCSI command that carries it."""
        protocol = DATA_OUT if self.send else DATA_IN if self.receive else NO_DATA
        blocks = 1 if protocol != NO_DATA else 0
        towards_us = protocol == DATA_IN
        # T_LENGTH 2 and BYT_BLOK: as many sectors as the count field says.
        flags = self.registers << 5 | towards_us << 3 | (1 << 2 | 2 if blocks else 0)
        lba_mode = 0x40 if self.extended else 0
        fields = (0, self.feature, 0, blocks, 0, 0, 0, 0, 0, 0, lba_mode, self.code, 0)
        return bytes((0x85, protocol << 1 | self.extended, flags, *fields))


@dataclass(frozen=True)
class Answer:
    """What came back: data, and the LBA registers where they were asked for."""

    data: bytes = b""
    lba: int = 0


@dataclass(frozen=True)
class Security:
    """The Security feature set. Minutes are the disk's own estimates, None where it has none."""

    supported: bool
    enabled: bool
    locked: bool
    frozen: bool
    expired: bool
    enhanced: bool
    erase_minutes: int | None
    enhanced_minutes: int | None


@dataclass(frozen=True)
class Identity:
    """Of one disk. `sectors` is what it shows; `host_area`, `accessible` and `overlay` are ways to show less."""

    security: Security
    sectors: int
    host_area: bool
    accessible: bool
    overlay: bool


def decode_identity(data: bytes) -> Identity:
    """From the 512 bytes of IDENTIFY DEVICE. Raises ValueError for what is none, or was damaged on its way."""
    if len(data) < SECTOR:
        raise ValueError(f"{len(data)} bytes where {SECTOR} were asked for")
    words = struct.unpack(f"<{SECTOR // 2}H", data[:SECTOR])
    if words[255] & 0xFF == 0xA5 and sum(data[:SECTOR]) & 0xFF:
        raise ValueError("the checksum is wrong")
    if words[0] & 0x8000:
        raise ValueError("it is an ATAPI device")
    said = words[83] & 0xC000 == 0x4000  # otherwise words 82 and 83 mean nothing
    large = said and bool(words[83] & 1 << 10)
    return Identity(
        security=_security(words, said),
        sectors=_joined(words, 100, 4) if large else _joined(words, 60, 2),
        host_area=large and bool(words[82] & 1 << 10),
        accessible=words[119] & 0xC000 == 0x4000 and bool(words[119] & 1 << 8),
        overlay=said and bool(words[83] & 1 << 11),
    )


def _security(words: tuple[int, ...], said: bool) -> Security:
    state = words[128]
    supported = said and bool(words[82] & 1 << 1) and bool(state & 1)
    return Security(
        supported=supported,
        enabled=supported and bool(state & 1 << 1),
        locked=supported and bool(state & 1 << 2),
        frozen=supported and bool(state & 1 << 3),
        expired=supported and bool(state & 1 << 4),
        enhanced=supported and bool(state & 1 << 5),
        erase_minutes=_minutes(words[89]),
        enhanced_minutes=_minutes(words[90]),
    )


def _minutes(word: int) -> int | None:
    """In units of two minutes: 15 bits wide where bit 15 says so, else 8."""
    return (word & 0x7FFF if word & 0x8000 else word & 0xFF) * 2 or None


def _joined(words: tuple[int, ...], first: int, number: int) -> int:
    return sum(words[first + place] << 16 * place for place in range(number))


def identify() -> Command:
    """Answered with what `decode_identity` reads."""
    return Command(IDENTIFY, receive=SECTOR)


def set_password() -> Command:
    """Give the disk our user password, at level high: an owner's master password opens it, too."""
    return Command(SET_PASSWORD, send=_with_password(0))


def unlock() -> Command:
    """Open a disk that is locked with our password. Nothing on it changes."""
    return Command(UNLOCK, send=_with_password(0))


def disable_password() -> Command:
    """Take our password away from a disk that is not locked."""
    return Command(DISABLE_PASSWORD, send=_with_password(0))


def erase_prepare() -> Command:
    """Has to stand right before `erase_unit`."""
    return Command(ERASE_PREPARE)


def erase_unit(enhanced: bool, seconds: float) -> Command:
    """Erase everything; a disk that was locked with our password is open afterwards, and has none."""
    return Command(ERASE_UNIT, send=_with_password(enhanced << 1), seconds=seconds)


def _with_password(control: int) -> bytes:
    return struct.pack("<H32s", control, PASSWORD).ljust(SECTOR, b"\0")


def native_max() -> Command:
    """Asks for the last sector there is, whatever a host protected area hides; answered in `Answer.lba`."""
    return Command(NATIVE_MAX_EXT, extended=True, registers=True)


def accessible_max() -> Command:
    """The same of newer disks."""
    return Command(ACCESSIBLE_MAX_EXT, extended=True, registers=True)


def configuration() -> Command:
    """Answered with what `decode_configuration` reads."""
    return Command(CONFIGURATION, feature=0xC2, receive=SECTOR)


def decode_configuration(data: bytes) -> int:
    """Sectors that the disk was built with, from DEVICE CONFIGURATION IDENTIFY. Raises ValueError."""
    if len(data) < SECTOR:
        raise ValueError(f"{len(data)} bytes where {SECTOR} were asked for")
    return _joined(struct.unpack(f"<{SECTOR // 2}H", data[:SECTOR]), 3, 4) + 1


def decode_registers(sense: bytes) -> Answer:
    """The registers in an ATA Status Return descriptor (SAT-3, 12.2.6). Raises ValueError where there is none."""
    if len(sense) < 22 or sense[0] & 0x7F not in (0x72, 0x73) or sense[8] != 0x09:
        raise ValueError("the disk's registers did not come back")
    high, low = (sense[14], sense[16], sense[18]), (sense[15], sense[17], sense[19])
    return Answer(lba=int.from_bytes(bytes((*low, *high)), "little"))
