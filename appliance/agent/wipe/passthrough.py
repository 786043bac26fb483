"""Commands to disks through the kernel: SG_IO for ATA, the admin ioctl for NVMe.

Not by hdparm(8) and nvme(1): their waits end after two hours, or a minute, where a disk erases itself for a day, and
a disk that is reset in the middle of that stays locked. And bytes need no parsing of words that change.
"""

import array
import fcntl
import struct

from .ata import Answer, Command, decode_registers
from .nvme import Admin

SG_IO = 0x2285
SG_HEADER = struct.Struct("@iiBBHIPPPIIiPBBBBHHiII4x")
"""struct sg_io_hdr of scsi/sg.h."""
TO_DEVICE, FROM_DEVICE, NEITHER = -2, -3, -1
SENSE_SIZE = 64
CHECK_CONDITION = 0x02
NVME_ID, NVME_ADMIN = 0x4E40, 0xC0484E41
NVME_COMMAND = struct.Struct("@BBHIIIQQIIIIIIIIII")
"""struct nvme_passthru_cmd of linux/nvme_ioctl.h."""
NVME_STATUS = 0x7FF


class Refused(Exception):
    """The disk did not carry out a command; in words. `status` is NVMe's, 0 for others."""

    def __init__(self, words: str, status: int = 0) -> None:
        super().__init__(words)
        self.status = status


class Unknown(Refused):
    """The disk, or its driver, does not know what it was asked for: nothing was tried."""


def nvme_namespace(fd: int) -> int:
    """The number of the namespace that `fd` is. Raises OSError."""
    return fcntl.ioctl(fd, NVME_ID)


def nvme(fd: int, command: Admin) -> bytes:
    """Carry out one admin command. Raises Refused, OSError."""
    buffer = array.array("B", bytes(command.receive))
    address = buffer.buffer_info()[0] if command.receive else 0
    call = bytearray(
        NVME_COMMAND.pack(
            command.opcode, 0, 0, command.nsid, 0, 0, 0, address, 0, command.receive,
            command.cdw10, command.cdw11, 0, 0, 0, 0, int(command.seconds * 1000), 0,
        )
    )  # fmt: skip
    status = fcntl.ioctl(fd, NVME_ADMIN, call)
    if status:
        raise Refused(f"the controller refused command {command.opcode:#04x} with status {status:#05x}", status)
    return buffer.tobytes()


def ata(fd: int, command: Command) -> Answer:
    """Carry out one ATA command. Raises Refused, OSError; ValueError where registers did not come back."""
    data = array.array("B", command.send or bytes(command.receive))
    cdb, sense = array.array("B", command.cdb()), array.array("B", bytes(SENSE_SIZE))
    direction = TO_DEVICE if command.send else FROM_DEVICE if command.receive else NEITHER
    header = bytearray(
        SG_HEADER.pack(
            ord("S"), direction, len(cdb), SENSE_SIZE, 0, len(data),
            data.buffer_info()[0] if data else 0, cdb.buffer_info()[0], sense.buffer_info()[0],
            int(command.seconds * 1000), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        )
    )  # fmt: skip
    fcntl.ioctl(fd, SG_IO, header)
    _judge(command, SG_HEADER.unpack(header), sense.tobytes())
    if command.registers:
        return decode_registers(sense.tobytes())
    return Answer(data.tobytes() if command.receive else b"")


def _judge(command: Command, header: tuple[int, ...], sense: bytes) -> None:
    status, host, driver = header[13], header[17], header[18]
    if host:
        raise Refused(f"ATA command {command.code:#04x} did not end well (host status {host:#x}): {_why(host)}")
    key = sense[1] & 0xF if sense[0] & 0x7F in (0x72, 0x73) else sense[2] & 0xF
    # With registers asked for, a command that ended well ends in a check condition, too (SAT-3, CK_COND).
    if (status or driver & 0x0F) and not (command.registers and status == CHECK_CONDITION and key in (0, 1)):
        raise Refused(f"the disk refused ATA command {command.code:#04x} (status {status:#x}, sense key {key:#x})")


def _why(host: int) -> str:
    return {1: "there is no connection to it", 3: "it took too long", 7: "the controller failed"}.get(host, "no reason")
