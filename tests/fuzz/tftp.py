"""TFTP: requests through names, options and the census; everything else through a transfer that runs."""

import struct
from dataclasses import dataclass, field

from appliance.netboot.tftp.content import content_of
from appliance.netboot.tftp.files import MemoryFile, Overlay, RenderedFiles
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import Terms, negotiate
from appliance.netboot.tftp.packet import MalformedPacketError, Mode, ReadRequest, decode, encode
from appliance.netboot.tftp.transfer import Transfer
from tests.captures.book import sent_by_clients
from tests.fuzz.mutation import Chance

CONTENT = bytes(range(256)) * 64
LIMITS = TftpLimits()
MADE = (
    b"\0\1undionly.kpxe\0octet\0",
    b"\0\1/boot//undionly.kpxe\0octet\0tsize\x000\0blksize\x001428\0windowsize\x004\0timeout\x003\0",
    b"\0\1grub/52:54:00:00:00:01.cfg\0netascii\0blksize\x008\0",
    b"\0\1..\\..\\etc\\passwd\0octet\0",
    b"\0\2upload\0octet\0",
    b"\0\4\0\0",
    b"\0\4\0\1",
    b"\0\5\0\0gone\0",
)


def _files() -> Overlay:
    render = {r"undionly\.kpxe|snponly\.efi": lambda *_: CONTENT, r"grub/([0-9a-f:]{17})\.cfg": lambda *_: b"boot\n"}
    return Overlay([RenderedFiles(render)])


@dataclass
class TftpFuzz:
    """A server's pure parts, and the transfer that the last good request began."""

    now: float = 0.0
    real: list[bytes] = field(default_factory=lambda: [*MADE, *sent_by_clients("tftp")])

    def __post_init__(self) -> None:
        self._files = _files()
        self._transfer = self._begun(ReadRequest("undionly.kpxe", Mode.OCTET))

    def feed(self, data: bytes, chance: Chance) -> None:
        """One datagram arrives at one of our ports."""
        self.now += chance.random()
        try:
            packet = decode(data)
        except MalformedPacketError:
            packet = None
        if isinstance(packet, ReadRequest) and (found := self._asked(packet)) is not None:
            self._transfer = found
        elif chance.random() < 0.9 and data[:2] == b"\0\4":
            data = struct.pack("!HH", 4, chance.randrange(20))  # an ACK that may well fit
        if followed := self._transfer.follow(data, self.now):
            decode(followed)
        else:
            self._transfer.receive_datagram(data, self.now)
        self._transfer.handle_timer(self.now)
        for sent in self._transfer.datagrams_to_send():
            decode(sent)
        self._transfer.prepare()

    def _asked(self, request: ReadRequest) -> Transfer | None:
        assert decode(encode(request)) == request
        return self._begun(request) if self._files.open(request.name, "10.77.0.50") else None

    def _begun(self, request: ReadRequest) -> Transfer:
        content = content_of(MemoryFile(CONTENT), request.mode)
        terms = negotiate(request.options, content.size, LIMITS)
        _check(terms, request)
        return Transfer(content, terms, LIMITS, self.now)


def _check(terms: Terms, request: ReadRequest) -> None:
    """Nothing is granted that was not asked for, and never more."""
    assert set(terms.granted) <= set(request.options)
    for name in ("blksize", "windowsize"):
        assert name not in terms.granted or int(terms.granted[name]) <= int(request.options[name])
