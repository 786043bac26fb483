"""A file as the stream of bytes that one transfer sends (RFC 1350 section 1, modes). Pure but for `read`."""

from collections.abc import Hashable
from typing import Protocol

from appliance.netboot.tftp.packet import Mode


class OpenFile(Protocol):
    """An open file of fixed size. `read` gives fewer bytes than asked only at the end of the file."""

    @property
    def size(self) -> int: ...

    @property
    def key(self) -> Hashable | None:
        """Equal for files with the same bytes; None where that is not known."""
        ...

    def read(self, offset: int, length: int) -> bytes: ...

    def close(self) -> None: ...


class Content(Protocol):
    """Bytes in order. `size` is None when it is only known at the end."""

    @property
    def size(self) -> int | None: ...

    @property
    def key(self) -> Hashable | None:
        """Equal for contents with the same bytes; None where that is not known."""
        ...

    def take(self, length: int) -> bytes:
        """The next `length` bytes; fewer only at the end. Raises OSError when reading fails."""
        ...

    def skip(self, length: int) -> None:
        """Go on as after `take`, which would have given so many bytes: somebody has these already."""
        ...


class OctetContent:
    """The file as it is."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self._offset = 0
        self.size: int | None = file.size
        self.key: Hashable | None = file.key

    def take(self, length: int) -> bytes:
        wanted = min(length, self._file.size - self._offset)
        taken = self._file.read(self._offset, wanted) if wanted else b""
        if len(taken) != wanted:
            # A short block would tell the client "end of file" and it would boot half a kernel.
            raise OSError("the file became shorter while it was being sent")
        self._offset += wanted
        return taken

    def skip(self, length: int) -> None:
        self._offset += length


class NetasciiContent:
    """The file with line ends as RFC 764 wants them: LF becomes CR LF, a lone CR becomes CR NUL."""

    size: int | None = None
    key: Hashable | None = None

    def __init__(self, file: OpenFile) -> None:
        self._octets = OctetContent(file)
        self._ready = bytearray()

    def take(self, length: int) -> bytes:
        while len(self._ready) < length:
            plain = self._octets.take(length)
            if not plain:
                break
            self._ready += _to_netascii(plain)
        taken = bytes(self._ready[:length])
        del self._ready[:length]
        return taken

    def skip(self, length: int) -> None:
        self.take(length)


def content_of(file: OpenFile, mode: Mode) -> Content:
    """What to send of `file` in `mode`."""
    return OctetContent(file) if mode is Mode.OCTET else NetasciiContent(file)


def _to_netascii(plain: bytes) -> bytes:
    # Byte by byte as RFC 1350's references define it: the CR of a CR LF in the file is data, too.
    return plain.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")
