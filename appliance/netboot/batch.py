"""Many UDP datagrams for one system call: recvmmsg and sendmmsg (Linux), which Python's sockets do not have.

Sources stay in the kernel's form from a datagram to its answer. Reading, telling an address in words and back, and
sending one by one cost a third more than what the kernel itself does for an answer.
"""

import ctypes
import errno
import socket
from collections.abc import Sequence

_NAME_BYTES = 16
"""Of a sockaddr_in: family, port, address, eight that are not used."""
_NO_ROOM = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


_libc = ctypes.CDLL(None, use_errno=True)
_MESSAGE = ctypes.sizeof(_Message)


class _Slots:
    """`size` buffers of `longest` bytes, and the structures by which the kernel finds them.

    Those are written through views of whole numbers: several times as fast as through ctypes, field by field.
    """

    def __init__(self, size: int, longest: int, names: bytearray) -> None:
        self.data = memoryview(bytearray(size * longest))
        self.messages = (_Message * size)()
        self._vectors = (_Vector * size)()
        first, self._first_name = _address_of(self.data), _address_of(memoryview(names))
        for number, message in enumerate(self.messages):
            vector = self._vectors[number]
            vector.base, vector.length = first + number * longest, longest
            header = message.header
            header.name, header.name_length = self._first_name + number * _NAME_BYTES, _NAME_BYTES
            header.vectors, header.vector_count = ctypes.addressof(vector), 1
        self.lengths = memoryview(self.messages).cast("B").cast("I")
        self.sizes = memoryview(self._vectors).cast("B").cast("P")
        self.names = memoryview(self.messages).cast("B").cast("P")

    def name_of(self, number: int) -> int:
        """What a message points to as its peer."""
        return self._first_name + number * _NAME_BYTES


def _address_of(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


_LENGTHS, _LENGTH_AT = _MESSAGE // 4, _Message.length.offset // 4
_WORD = ctypes.sizeof(ctypes.c_size_t)
_SIZES, _SIZE_AT = ctypes.sizeof(_Vector) // _WORD, _Vector.length.offset // _WORD
_NAMES = _MESSAGE // _WORD


class Batch:
    """Up to `size` datagrams of up to `longest` bytes at once, of an IPv4 socket that does not block."""

    def __init__(self, listening: socket.socket, size: int, longest: int) -> None:
        self._socket = listening
        self._size = size
        self._longest = longest
        self._peers = bytearray(size * _NAME_BYTES)
        self._words = memoryview(self._peers).cast("I")
        self._in = _Slots(size, longest, self._peers)
        self._out = _Slots(size, longest, self._peers)

    def receive(self, most: int) -> list[tuple[bytes, int]]:
        """What has come, `most` datagrams at most: each with the address of its sender as a number.

        The number has the kernel's byte order and is good for comparing only; `source` tells who that is.
        """
        wanted = min(most, self._size)
        count = _libc.recvmmsg(self._socket.fileno(), self._in.messages, wanted, socket.MSG_DONTWAIT, None)
        data, lengths, longest, words = self._in.data, self._in.lengths, self._longest, self._words
        return [
            (
                bytes(data[number * longest : number * longest + lengths[number * _LENGTHS + _LENGTH_AT]]),
                words[number * 4 + 1],
            )
            for number in range(count)  # -1, where nothing came, gives none
        ]

    def source(self, number: int) -> tuple[str, int]:
        """Address and port that the datagram with this number in the last batch came from."""
        peer = self._peers[number * _NAME_BYTES : (number + 1) * _NAME_BYTES]
        return socket.inet_ntoa(peer[4:8]), int.from_bytes(peer[2:4], "big")

    def answer(self, answers: Sequence[tuple[int, bytes]]) -> None:
        """Send answers to datagrams of the last batch, each with the number of what it answers.

        As far as there is room for them: who asks by UDP asks again. None is longer than `longest`.
        """
        out, longest = self._out, self._longest
        data, sizes, names = out.data, out.sizes, out.names
        for slot, (number, answer) in enumerate(answers):
            data[slot * longest : slot * longest + len(answer)] = answer
            sizes[slot * _SIZES + _SIZE_AT] = len(answer)
            names[slot * _NAMES] = out.name_of(number)
        self._send(len(answers))

    def _send(self, count: int) -> None:
        sent, descriptor = 0, self._socket.fileno()
        while sent < count:
            rest = ctypes.byref(self._out.messages, sent * _MESSAGE)
            done = _libc.sendmmsg(descriptor, rest, count - sent, socket.MSG_DONTWAIT)
            if done < 0 and ctypes.get_errno() in _NO_ROOM:
                return
            sent += max(done, 1)  # one that cannot be sent, to port 0, is passed over
