"""``python windows.py SERVER FILE BLOCK WINDOW ADDRESS ...``: fetch a file by TFTP in windows, once for each address.

One process for all clients, each with a socket bound to its own address, since curl knows no windows and atftp no
addresses. The kernel hands over a window's datagrams together (UDP_GRO), so that it is the server which is measured.
Every block is counted and has to be the next one; prints the seconds from the first request to the last block.
"""

import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass

UDP_GRO = 104
PORT = 69
LONGEST = 1 << 16
STALLED_SECONDS = 1.0
"""After which what was answered last is said again."""
DATA, ACK, OACK = 3, 4, 6


@dataclass
class Fetch:
    """One transfer: which block comes next, and what was said last."""

    bound: socket.socket
    size: int
    """Bytes of a whole DATA packet."""
    window: int
    said: bytes
    to: tuple[str, int]
    expected: int = 1
    fresh: int = 0
    over: bool = False

    def say(self, packet: bytes) -> None:
        """Send, and remember it for when nothing comes."""
        self.said = packet
        self.bound.sendto(packet, self.to)

    def receive(self) -> None:
        """Take the datagrams that came together."""
        data, ancillary, _, self.to = self.bound.recvmsg(LONGEST, 64)
        size = struct.unpack("=i", ancillary[0][2])[0] if ancillary else len(data)
        for start in range(0, len(data), size):
            self.take(memoryview(data)[start : start + size])

    def take(self, packet: memoryview) -> None:
        """One datagram."""
        kind, block = struct.unpack_from("!HH", packet)
        if kind == OACK:
            self.say(struct.pack("!HH", ACK, 0))
        elif kind != DATA:
            raise SystemExit(f"the server says {bytes(packet[:80])!r}")
        elif block == self.expected % 65536:
            self.expected += 1
            self.fresh += 1
            self.over = len(packet) < self.size
            if self.over or self.fresh == self.window:
                self.fresh = 0
                self.say(struct.pack("!HH", ACK, block))
        elif self.fresh:  # a gap: what came before it is what there is
            self.fresh = 0
            self.say(struct.pack("!HH", ACK, (self.expected - 1) % 65536))


def main(server: str, name: str, block: int, window: int, addresses: list[str]) -> None:
    """Fetch, and print how long it took."""
    ready = selectors.DefaultSelector()
    options = b"".join(
        each.encode() + b"\0" for each in (name, "octet", "blksize", str(block), "windowsize", str(window))
    )
    for address in addresses:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind((address, 0))
        bound.setsockopt(socket.SOL_UDP, UDP_GRO, 1)
        fetch = Fetch(bound, 4 + block, window, b"\0\1" + options, (server, PORT))
        ready.register(bound, selectors.EVENT_READ, fetch)
    begun = time.perf_counter()
    for key in ready.get_map().values():
        key.data.say(key.data.said)
    while waiting := list(ready.get_map().values()):
        events = ready.select(STALLED_SECONDS)
        for key, _ in events:
            key.data.receive()
            if key.data.over:
                ready.unregister(key.data.bound)
        for key in waiting if not events else ():
            key.data.say(key.data.said)
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
