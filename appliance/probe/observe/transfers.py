"""Boot files by TFTP, with tftpy."""

import io
import logging
import socket
from time import monotonic

import tftpy
from scapy.layers.tftp import TFTP, TFTP_RRQ

from appliance.probe.observed import Transfer

logging.getLogger("tftpy").setLevel(logging.CRITICAL)

BLOCK = 1468
"""What firmware on Ethernet asks for."""
MOST_BYTES = 64 * 1024 * 1024
_PORT = 69
_SECONDS = 2
_LONGEST = 60.0
_RETRIES = 2


class _TooMuch(Exception):
    """No boot program is that large or takes that long: whoever sends it means harm, or the path is useless."""


class _Sink(io.RawIOBase):
    """Counts what is written and keeps nothing."""

    def __init__(self, until: float) -> None:
        self.size, self._until = 0, until

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """One block."""
        self.size += len(data)
        if self.size > MOST_BYTES or monotonic() > self._until:
            raise _TooMuch(f"left after {self.size} bytes, which is too large or too slow for a boot program")
        return len(data)


def transfer(server: str, name: str, source: str) -> Transfer:
    """Fetch a file from our address ``source``; whatever goes wrong is in the answer."""
    start = monotonic()
    sink = _Sink(start + _LONGEST)
    client = tftpy.TftpClient(server, _PORT, {"blksize": BLOCK, "tsize": 0}, localip=source, flock=False)
    trouble, words = "", ""
    try:
        client.download(name, sink, timeout=_SECONDS, retries=_RETRIES)
    except (tftpy.TftpShared.TftpException, OSError, _TooMuch, AssertionError, ValueError) as error:
        trouble, words = _trouble(error, client, server, name), str(error) or type(error).__name__
    block = getattr(client.context, "options", None) or {}
    return Transfer(server, name, sink.size, monotonic() - start, int(block.get("blksize", 512)), trouble, words)


def _trouble(error: Exception, client: tftpy.TftpClient, server: str, name: str) -> str:
    if isinstance(error, tftpy.TftpShared.TftpFileNotFoundError):
        return "missing"
    if isinstance(error, tftpy.TftpShared.TftpTimeout | TimeoutError):
        if getattr(client.context, "tidport", None):
            return "stalled"
        return "refused" if _closed(server, name) else "silent"
    return "denied" if "ERR" in str(error) else "other"


def _closed(server: str, name: str) -> bool:
    """Whether the server's computer says that nothing listens; only a connected socket hears that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
        knock.settimeout(1)
        try:
            knock.connect((server, _PORT))
            knock.send(bytes(TFTP() / TFTP_RRQ(filename=name, mode="octet")))
            knock.recv(1)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
