"""What NVMe disks can erase, and the admin commands for it (pure).

NVM Express Base Specification 1.4: Identify 5.15, Sanitize Status 5.14.1.16.2, Format NVM 5.23, Sanitize 5.24.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

IDENTIFY_SIZE = 4096
LOG_SIZE = 512
EVERY_NAMESPACE = 0xFFFFFFFF
IN_PROGRESS = 0x1D
"""Status of a command that has to wait for a sanitize."""
UNKNOWN_TIME = 0xFFFFFFFF


@dataclass(frozen=True)
class Admin:
    """One admin command. `receive` bytes come back; `seconds` is how long the kernel waits for its end."""

    opcode: int
    nsid: int = 0
    cdw10: int = 0
    cdw11: int = 0
    receive: int = 0
    seconds: float = 60.0


@dataclass(frozen=True)
class Controller:
    """What the controller offers for erasing."""

    formats: bool
    manages_namespaces: bool
    erases_all_namespaces: bool
    """A format that erases takes every namespace with it."""
    crypto_format: bool
    sanitize_block: bool
    sanitize_crypto: bool


@dataclass(frozen=True)
class Namespace:
    """How a namespace is laid out: what a format has to say again to leave it as it is. `sectors` is its size."""

    sectors: int
    lba_format: int
    metadata_inline: bool
    protection: int
    protection_first: bool


class SanitizeState(IntEnum):
    """How the last sanitize stands (SSTAT, bits 2:0)."""

    NEVER = 0
    DONE = 1
    GOES_ON = 2
    FAILED = 3
    DONE_DEALLOCATED = 4


@dataclass(frozen=True)
class Sanitize:
    """The sanitize status log. `fraction` is 0 to 1 while it goes on; estimates are seconds, None unknown."""

    state: SanitizeState
    fraction: float
    block_seconds: int | None
    crypto_seconds: int | None


class SanitizeAction(IntEnum):
    """SANACT of a sanitize command."""

    EXIT_FAILURE = 1
    BLOCK_ERASE = 2
    CRYPTO_ERASE = 4


class FormatErase(IntEnum):
    """SES of a format command."""

    USER_DATA = 1
    CRYPTO = 2


def identify_controller() -> Admin:
    """Answered with what `decode_controller` reads."""
    return Admin(0x06, cdw10=0x01, receive=IDENTIFY_SIZE)


def identify_namespace(nsid: int) -> Admin:
    """Answered with what `decode_namespace` reads."""
    return Admin(0x06, nsid, cdw10=0x00, receive=IDENTIFY_SIZE)


def list_namespaces(allocated: bool) -> Admin:
    """Answered with what `decode_list` reads: those that this controller sees, or all that are allocated."""
    return Admin(0x06, cdw10=0x10 if allocated else 0x02, receive=IDENTIFY_SIZE)


def sanitize_log() -> Admin:
    """Answered with what `decode_sanitize` reads."""
    dwords = LOG_SIZE // 4 - 1
    return Admin(0x02, EVERY_NAMESPACE, cdw10=0x81 | dwords << 16, receive=LOG_SIZE)


def sanitize(action: SanitizeAction) -> Admin:
    """Begin one; it goes on by itself. A failed one may be left again (AUSE): the disk must not be lost with it."""
    unrestricted_exit = 0 if action is SanitizeAction.EXIT_FAILURE else 1 << 3
    return Admin(0x84, cdw10=action | unrestricted_exit)


def format_nvm(nsid: int, as_it_is: Namespace, erase: FormatErase, seconds: float) -> Admin:
    """Format a namespace as it is formatted now, and erase what was in it."""
    low, high = as_it_is.lba_format & 0xF, as_it_is.lba_format >> 4
    layout = low | as_it_is.metadata_inline << 4 | as_it_is.protection << 5 | as_it_is.protection_first << 8
    return Admin(0x80, nsid, cdw10=layout | erase << 9 | high << 12, seconds=seconds)


def decode_controller(data: bytes) -> Controller:
    """From the 4096 bytes of Identify Controller. Raises ValueError."""
    _must_have(data, IDENTIFY_SIZE)
    (optional,) = struct.unpack_from("<H", data, 256)  # OACS
    (sanitizes,) = struct.unpack_from("<I", data, 328)  # SANICAP
    attributes = data[524]  # FNA
    return Controller(
        formats=bool(optional & 1 << 1),
        manages_namespaces=bool(optional & 1 << 3),
        erases_all_namespaces=bool(attributes & 1 << 1),
        crypto_format=bool(attributes & 1 << 2),
        sanitize_crypto=bool(sanitizes & 1 << 0),
        sanitize_block=bool(sanitizes & 1 << 1),
    )


def decode_namespace(data: bytes) -> Namespace:
    """From the 4096 bytes of Identify Namespace. Raises ValueError for a namespace that is not there."""
    _must_have(data, IDENTIFY_SIZE)
    (sectors,) = struct.unpack_from("<Q", data, 0)
    if sectors == 0:
        raise ValueError("the namespace is not active")
    formatted, protection = data[26], data[29]  # FLBAS, DPS
    return Namespace(
        sectors=sectors,
        lba_format=(formatted & 0xF) | (formatted >> 5 & 0x3) << 4,
        metadata_inline=bool(formatted & 1 << 4),
        protection=protection & 0x7,
        protection_first=bool(protection & 1 << 3),
    )


def decode_list(data: bytes) -> Sequence[int]:
    """Namespaces of a list, which ends with 0. Raises ValueError."""
    _must_have(data, IDENTIFY_SIZE)
    every = struct.unpack(f"<{IDENTIFY_SIZE // 4}I", data[:IDENTIFY_SIZE])
    return every[: every.index(0)] if 0 in every else every


def decode_sanitize(data: bytes) -> Sanitize:
    """From the sanitize status log. Raises ValueError for a state that the specification does not have."""
    _must_have(data, 20)
    progress, status, _, _, block, crypto = struct.unpack_from("<HHIIII", data)
    return Sanitize(SanitizeState(status & 0x7), progress / 0x10000, _seconds(block), _seconds(crypto))


def _seconds(said: int) -> int | None:
    return None if said == UNKNOWN_TIME else said


def _must_have(data: bytes, size: int) -> None:
    if len(data) < size:
        raise ValueError(f"{len(data)} bytes where {size} were asked for")
