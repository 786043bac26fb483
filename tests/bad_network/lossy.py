"""A cable that loses, doubles, turns round and delays frames, for kernels without netem.

Run as a program in a network: ONE OTHER SEED, two interfaces between which it carries frames. It prints "carries" once
it does, and runs until it is killed.
"""

import array
import fcntl
import heapq
import random
import select
import socket
import struct
import sys
import time

LOSS, DOUBLE, REORDER = 0.05, 0.01, 0.05
DELAY, JITTER = 0.02, 0.01
"""Seconds; what is turned round overtakes those that wait."""
LARGEST = 65536
_SIOCETHTOOL = 0x8946
_OFFLOADS = (0x17, 0x1F, 0x24)
"""ETHTOOL_STXCSUM, STSO, SGSO (linux/ethtool.h): between two kernels frames have to be whole, checksums included."""


def open_end(interface: str) -> socket.socket:
    """Everything that comes out of an interface, and the way in; not what we put in ourselves."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    end.bind((interface, 0))
    end.setblocking(False)
    return end


def whole_frames(interface: str) -> None:
    """Have the kernel compute checksums and cut large packets itself on this interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS:
            value = array.array("B", struct.pack("=II", command, 0))
            address = value.buffer_info()[0]
            fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("16sP16x", interface.encode(), address))


class Cable:
    """Frames on their way, by the time at which they arrive."""

    def __init__(self, ends: tuple[socket.socket, socket.socket], chance: random.Random) -> None:
        self._ends, self._chance = ends, chance
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._number = 0
        self.carried = self.lost = 0

    def run(self) -> None:
        """Until killed."""
        while True:
            pause = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            ready, _, _ = select.select(self._ends, [], [], pause)
            for end in ready:
                self._take(self._ends.index(end))
            self._deliver(time.monotonic())

    def _take(self, which: int) -> None:
        while True:
            try:
                data, address = self._ends[which].recvfrom(LARGEST)
            except BlockingIOError:
                return
            if address[2] != socket.PACKET_OUTGOING:
                self._fate(data, 1 - which)

    def _fate(self, data: bytes, to: int) -> None:
        if self._chance.random() < LOSS:
            self.lost += 1
            return
        for _ in range(2 if self._chance.random() < DOUBLE else 1):
            late = 0.0 if self._chance.random() < REORDER else DELAY + self._chance.random() * JITTER
            self._number += 1
            heapq.heappush(self._waiting, (time.monotonic() + late, self._number, to, data))

    def _deliver(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, _, to, data = heapq.heappop(self._waiting)
            try:
                self._ends[to].send(data)
                self.carried += 1
            except OSError:  # the queue is full, or nobody is at the other end
                self.lost += 1


def main(one: str, other: str, seed: int) -> None:
    """Carry."""
    for interface in (one, other):
        whole_frames(interface)
    cable = Cable((open_end(one), open_end(other)), random.Random(seed))
    print("carries", flush=True)
    cable.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
