"""A socket for datagrams to one UDP port, whoever on the wire they are for; the kernel drops all other frames."""

import socket
import struct
from array import array

_SO_ATTACH_FILTER = 26
_ETH_P_IP = 0x0800
_INSTRUCTION = struct.Struct("HBBI")
_MAX_FRAME = 4096
_BATCH = 64

# Classic BPF (man 7 packet, linux/filter.h).
_LOAD_BYTE, _LOAD_HALF, _LOAD_HALF_AFTER_HEAD = 0x30, 0x28, 0x48
_LOAD_HEAD_SIZE, _EQUAL, _ANY_BIT, _RETURN = 0xB1, 0x15, 0x45, 0x06
_ETHERNET, _FRAGMENT, _PROTOCOL, _TARGET_PORT, _UDP, _OFFSET_BITS = 14, 20, 23, 16, 17, 0x1FFF
_ALL, _NOTHING = 0xFFFF, 0


def udp_socket(interface: str, port: int) -> socket.socket:
    """A packet socket of the interface that gets frames with a UDP datagram to `port`; raises OSError."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    try:
        _attach(opened, _program(port))
        opened.bind((interface, _ETH_P_IP))  # only now: what came before the filter would be in the queue
    except OSError:
        opened.close()
        raise
    return opened


def _program(port: int) -> bytes:
    steps = (
        (_LOAD_BYTE, 0, 0, _PROTOCOL),
        (_EQUAL, 0, 6, _UDP),
        (_LOAD_HALF, 0, 0, _FRAGMENT),
        (_ANY_BIT, 4, 0, _OFFSET_BITS),
        (_LOAD_HEAD_SIZE, 0, 0, _ETHERNET),
        (_LOAD_HALF_AFTER_HEAD, 0, 0, _TARGET_PORT),
        (_EQUAL, 0, 1, port),
        (_RETURN, 0, 0, _ALL),
        (_RETURN, 0, 0, _NOTHING),
    )
    return b"".join(_INSTRUCTION.pack(*step) for step in steps)


def _attach(opened: socket.socket, program: bytes) -> None:
    kept = array("B", program)  # the kernel reads it during the call only
    address, size = kept.buffer_info()
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", size // _INSTRUCTION.size, address))


def frames(opened: socket.socket) -> list[bytes]:
    """What came in since the last call, at most one batch; raises OSError when the interface is down."""
    found: list[bytes] = []
    while len(found) < _BATCH:
        try:
            found.append(opened.recv(_MAX_FRAME))
        except BlockingIOError:
            break
    return found


def own_address(opened: socket.socket) -> str:
    """The interface's own hardware address: a bridge changes it as ports join."""
    address: bytes = opened.getsockname()[4]
    return address.hex(":")
