"""Disks of the tests that erase themselves: what they say of themselves are bytes made from the specifications."""

import errno
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from appliance.agent.disk.model import Disk
from appliance.agent.wipe.ata import Answer, Command
from appliance.agent.wipe.methods import QueueLimits
from appliance.agent.wipe.minder import Minder
from appliance.agent.wipe.nvme import IN_PROGRESS, Admin
from appliance.agent.wipe.passthrough import Refused

MIB = 1 << 20
SIZE = 8 * MIB
SECTORS = SIZE // 512
SOMEBODYS = b"letters of somebody, which are to go; " * 1000


class PowerCut(BaseException):
    """Nothing of the agent goes on from here."""


@dataclass
class Hours:
    """A clock that goes on only while somebody waits, and what was told."""

    now: float = 0.0
    told: list[tuple[float, str]] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def minder(self) -> Minder:
        return Minder(lambda done, words: self.told.append((done, words)), self.pause, lambda: self.now)


def a_disk(name: str = "sda", transport: str = "sata", size: int = SIZE) -> Disk:
    return Disk(name, Path(f"/dev/{name}"), "", "Fast 1", "S1", "", size, 512, 512, False, transport, False)


class PaperDrive:
    """A disk in memory that takes nobody's commands. What a test wants to break it replaces."""

    speaks = ""

    def __init__(self, disk: Disk | None = None, queue: QueueLimits | None = None) -> None:
        self.disk = disk or a_disk()
        self.cells = bytearray(self.disk.size)
        self.queue = queue or QueueLimits()
        self.done: list[str] = []
        self.before: Callable[[str], None] = lambda what: None
        """Called with each thing before it is done; may raise."""
        self.put(0, SOMEBODYS)
        self.put(self.disk.size // 2, SOMEBODYS)
        self.put(self.disk.size - len(SOMEBODYS), SOMEBODYS)

    def put(self, at: int, data: bytes) -> None:
        self.cells[at : at + len(data)] = data

    def _note(self, what: str) -> None:
        if what not in self.done[-1:]:
            self.done.append(what)
        self.before(what)

    def limits(self) -> QueueLimits:
        return self.queue

    def nsid(self) -> int:
        raise OSError(errno.ENOTTY, "no NVMe disk")

    def nvme(self, command: Admin) -> bytes:
        raise OSError(errno.ENOTTY, "no NVMe disk")

    def ata(self, command: Command) -> Answer:
        raise OSError(errno.ENOTTY, "no ATA disk")

    def read(self, at: int, size: int) -> bytes:
        return bytes(self.cells[at : at + size])

    def write(self, at: int, data: bytes) -> None:
        self.put(at, data)

    def write_zeros(self, at: int, size: int) -> None:
        self._note("zeros")
        self.put(at, bytes(size))

    def zero_by_itself(self, at: int, size: int) -> None:
        self._note("zeros by itself")
        if not self.queue.write_zeroes_max_bytes:
            raise Refused("not supported")
        self.put(at, bytes(size))

    def discard(self, at: int, size: int, *, secure: bool) -> None:
        self._note("secure discard" if secure else "discard")
        if secure or not self.queue.discard_max_bytes:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        self.put(at, bytes(size))

    def forget_cache(self) -> None:
        pass


def nvme_controller(*, oacs: int = 0, fna: int = 0, sanicap: int = 0) -> bytes:
    """Identify Controller (NVMe 1.4, figure 247): OACS at 256, SANICAP at 328, FNA at 524."""
    data = bytearray(4096)
    struct.pack_into("<H", data, 256, oacs)
    struct.pack_into("<I", data, 328, sanicap)
    data[524] = fna
    return bytes(data)


def nvme_namespace(sectors: int = SECTORS, flbas: int = 0, dps: int = 0) -> bytes:
    """Identify Namespace (figure 245): NSZE at 0, FLBAS at 26, DPS at 29."""
    data = bytearray(4096)
    struct.pack_into("<Q", data, 0, sectors)
    data[26], data[29] = flbas, dps
    return bytes(data)


def nvme_list(*namespaces: int) -> bytes:
    return struct.pack(f"<{len(namespaces)}I", *namespaces).ljust(4096, b"\0")


def sanitize_status(state: int, progress: int = 0xFFFF, block: int = 0xFFFFFFFF, crypto: int = 0xFFFFFFFF) -> bytes:
    """The sanitize status log (figure 211)."""
    return struct.pack("<HHIIII", progress, state, 0, 0xFFFFFFFF, block, crypto).ljust(512, b"\0")


class NvmeDrive(PaperDrive):
    """Sanitizes itself in steps, one for each look at it; a power cut in between does not end that."""

    speaks = "nvme"
    FORMATS, CRYPTO_FORMAT, BLOCK, CRYPTO = 2, 4, 2, 1

    def __init__(self, controller: bytes, namespaces: tuple[int, ...] = (1,), flbas: int = 0) -> None:
        super().__init__(a_disk("nvme0n1", "nvme"), QueueLimits(1 << 30, 1 << 30))
        self.controller, self.namespaces, self.flbas = controller, namespaces, flbas
        self.attached = namespaces
        self.state, self.progress, self.speed = 0, 0xFFFF, 0x4000
        self.erased_to: Callable[[bytes], bytes] = lambda old: bytes(len(old))
        self.fails = False
        """Whether its sanitize does, in the end."""
        self.formatted: list[int] = []

    def nsid(self) -> int:
        return 1

    def nvme(self, command: Admin) -> bytes:
        self.before(f"admin {command.opcode:#x}")
        if command.opcode == 0x06:
            return self._identify(command)
        if command.opcode == 0x02:
            return self._sanitize_log()
        if self.state == 2:
            raise Refused("a sanitize goes on", IN_PROGRESS)
        if command.opcode == 0x84:
            return self._sanitize(command.cdw10)
        assert command.opcode == 0x80
        if self.state == 3:
            raise Refused("its sanitize failed")
        self._note("format")
        self.formatted.append(command.cdw10)
        self._erase()
        return b""

    def read(self, at: int, size: int) -> bytes:
        if self.state in (2, 3):
            raise OSError(errno.EIO, "Input/output error")
        return super().read(at, size)

    def _identify(self, command: Admin) -> bytes:
        answers = {
            0x00: lambda: nvme_namespace(flbas=self.flbas),
            0x01: lambda: self.controller,
            0x02: lambda: nvme_list(*self.attached),
            0x10: lambda: nvme_list(*self.namespaces),
        }
        return answers[command.cdw10]()

    def _sanitize(self, cdw10: int) -> bytes:
        action = cdw10 & 0x7
        self._note({1: "leave failure", 2: "sanitize block", 4: "sanitize crypto"}[action])
        if action == 1:
            self.state = 0
            return b""
        assert cdw10 & 1 << 3, "a failed sanitize could not be left"
        self.state, self.progress = 2, 0
        return b""

    def _sanitize_log(self) -> bytes:
        if self.state == 2:
            self.progress += self.speed
            if self.progress > 0xFFFF:
                self.state, self.progress = 3 if self.fails else 1, 0xFFFF
                self._erase()
        return sanitize_status(self.state, self.progress)

    def _erase(self) -> None:
        self.cells[:] = self.erased_to(bytes(self.cells))


def identify_words(**words: int) -> bytes:
    """IDENTIFY DEVICE (ACS-3, 7.12.7) with words such as ``w82=2``, and its checksum."""
    row = [0] * 256
    row[0], row[83], row[87] = 0x0040, 0x4000, 0x4000
    for name, value in words.items():
        row[int(name[1:])] = value
    row[255] = 0xA5
    data = bytearray(struct.pack("<256H", *row))
    data[511] = -sum(data) & 0xFF
    return bytes(data)


class AtaDrive(PaperDrive):
    """The Security feature set as a disk keeps it (ACS-3, 4.20): which password, whether locked, what it does then."""

    speaks = "ata"

    def __init__(self, *, enhanced: bool = True, frozen: bool = False, minutes: int = 2) -> None:
        super().__init__()
        self.enhanced, self.frozen, self.minutes = enhanced, frozen, minutes
        self.password: bytes | None = None
        self.locked = self.prepared = False
        self.tries = 5
        self.hidden = 0
        self.erased_to: Callable[[bytes], bytes] = lambda old: bytes(len(old))
        self.off = False
        self.refuses_unlock = False
        """As some disks do after an erase that was broken off."""

    def power_cycle(self) -> None:
        self.off = False
        self.locked = self.password is not None
        self.prepared, self.tries = False, 5
        self.before = lambda what: None

    def read(self, at: int, size: int) -> bytes:
        if self.locked:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(at, size)

    def ata(self, command: Command) -> Answer:
        cdb = command.cdb()
        assert (len(cdb), cdb[0]) == (16, 0x85)
        if self.off:
            raise PowerCut
        code, prepared = cdb[14], self.prepared
        self.prepared = False
        match code:
            case 0xEC:
                return Answer(self.identity())
            case 0x27:
                return Answer(lba=SECTORS + self.hidden - 1)
            case 0xF3:
                self.prepared = True
                return Answer()
        if self.frozen:
            raise Refused("aborted")
        self._note(
            {0xF1: "set password", 0xF2: "unlock", 0xF4: "erase", 0xF6: "disable password"}[code]
            + (" enhanced" if code == 0xF4 and command.send[0] & 2 else "")
        )
        word = command.send[2:34]
        if code == 0xF1:
            self.password = word
        else:
            self._check(word)
            self._with_password(code, prepared)
        return Answer()

    def _check(self, word: bytes) -> None:
        if word != self.password or not self.tries:
            self.tries = max(0, self.tries - 1)
            raise Refused("aborted: another password")

    def _with_password(self, code: int, prepared: bool) -> None:
        if code == 0xF2:
            if self.refuses_unlock:
                raise Refused("aborted: only an erase")
            self.locked = False
        elif code == 0xF4:
            if not prepared:
                raise Refused("aborted: not prepared")
            self.before("in the middle of the erase")
            self.cells[:] = self.erased_to(bytes(self.cells))
            self.password, self.locked, self.refuses_unlock = None, False, False
        elif self.locked:
            raise Refused("aborted: locked")
        else:
            self.password = None

    def identity(self) -> bytes:
        state = 1 | (self.password is not None) << 1 | self.locked << 2 | self.frozen << 3 | self.enhanced << 5
        half = self.minutes // 2
        return identify_words(
            w82=1 << 1 | 1 << 10, w83=0x4000 | 1 << 10, w89=half, w90=half, w100=SECTORS & 0xFFFF, w101=SECTORS >> 16,
            w128=state | (0 if self.tries else 1 << 4),
        )  # fmt: skip
