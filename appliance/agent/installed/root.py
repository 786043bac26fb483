"""A mounted root file system whose names cannot lead out of it.

An image is a stranger's: `/etc` in it may be a link to `/`, and what is meant for its `/etc/hostname` would
be written over ours. openat2(2) with RESOLVE_IN_ROOT lets the kernel resolve every name as chroot(2) would,
links included, and without races. Python has no name for that call.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

OPENAT2 = 437  # on every architecture
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10
READ_LIMIT = 16 << 20
"""Bytes of one file; an image has none larger that is read here, kernels apart."""
O_PATH = 0o10000000
RACES = 128
"""Lookups again that openat2(2) gave up for a rename elsewhere; it asks its callers to."""
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV)


class OpenHow(ctypes.Structure):
    """struct open_how of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)


class Root:
    """The tree below `point`. All names are absolute inside it, `/etc/hostname`."""

    def __init__(self, point: Path) -> None:
        self.point = point

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of `name`, whatever links it goes through, never of anything outside. Raises OSError."""
        for _ in range(RACES):
            try:
                return self._open(name, flags)
            except BlockingIOError:  # something was renamed or mounted, somewhere in the system, as ".." was followed
                continue
        return self._open(name, flags)

    def _open(self, name: str, flags: int) -> int:
        how = OpenHow(flags | os.O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        with self._top() as top:
            fd = _libc.syscall(OPENAT2, top, os.fsencode(name), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
        if fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), name)
        return int(fd)

    @contextmanager
    def opened(self, name: str, flags: int = os.O_RDONLY) -> Iterator[int]:
        """As `open`, closed in the end."""
        fd = self.open(name, flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def exists(self, name: str) -> bool:
        """Whether `name` leads to something inside."""
        try:
            with self.opened(name, O_PATH):
                return True
        except OSError as error:
            if error.errno in ABSENT:
                return False
            raise

    def is_link(self, name: str) -> bool:
        """Whether the last part of `name` is a symbolic link, even one that leads nowhere."""
        try:
            with self.opened(name, O_PATH | os.O_NOFOLLOW) as fd:
                return stat.S_ISLNK(os.fstat(fd).st_mode)
        except OSError:
            return False

    def read(self, name: str, limit: int = READ_LIMIT) -> bytes | None:
        """Content of the plain file `name`, None when there is none. Raises ValueError above `limit` bytes."""
        try:
            # O_NONBLOCK: an image may hold a FIFO where a file belongs
            with self.opened(name, os.O_RDONLY | os.O_NONBLOCK) as fd:
                return self._read(fd, name, limit)
        except OSError as error:
            if error.errno in ABSENT:
                return None
            raise

    def text(self, name: str) -> str:
        """Content of the file `name` as text, "" when there is none."""
        return (self.read(name) or b"").decode("utf-8", "replace")

    def names(self, directory: str) -> list[str]:
        """Sorted names in `directory`, [] when there is none."""
        try:
            with self.opened(directory, os.O_RDONLY | os.O_DIRECTORY) as fd:
                return sorted(os.listdir(fd))
        except OSError:
            return []

    def write(self, name: str, content: str | bytes, mode: int = 0o644) -> None:
        """Put a plain file of root's at `name`, making directories on the way.

        What stands at `name` itself is replaced, a link is not followed. Raises OSError.
        """
        data = content.encode() if isinstance(content, str) else content
        with self._parent(name) as (parent, last):
            part = f".{last}.qrm-part"
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=parent)
            fd = os.open(
                part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=parent
            )
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), mode)
            os.rename(part, last, src_dir_fd=parent, dst_dir_fd=parent)

    def link(self, name: str, target: str) -> None:
        """Put a symbolic link to `target` at `name`, in place of what is there."""
        with self._parent(name) as (parent, last):
            with suppress(FileNotFoundError):
                os.unlink(last, dir_fd=parent)
            os.symlink(target, last, dir_fd=parent)

    def remove(self, name: str) -> None:
        """Take the file or link `name` away, if it is there."""
        with self._parent(name) as (parent, last), suppress(FileNotFoundError):
            os.unlink(last, dir_fd=parent)

    def make_directory(self, name: str, mode: int = 0o755) -> None:
        """A directory at `name`, and all that are missing above it; `mode` is for those made here."""
        made = PurePosixPath("/")
        for part in PurePosixPath(name).parts[1:]:
            made = made / part
            if not self.exists(str(made)):
                with self.opened(str(made.parent), os.O_RDONLY | os.O_DIRECTORY) as parent:
                    os.mkdir(part, mode, dir_fd=parent)

    @contextmanager
    def _parent(self, name: str) -> Iterator[tuple[int, str]]:
        path = PurePosixPath(name)
        self.make_directory(str(path.parent))
        with self.opened(str(path.parent), os.O_RDONLY | os.O_DIRECTORY) as fd:
            yield fd, path.name

    @contextmanager
    def _top(self) -> Iterator[int]:
        fd = os.open(self.point, O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)

    @staticmethod
    def _read(fd: int, name: str, limit: int) -> bytes | None:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        with os.fdopen(os.dup(fd), "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise ValueError(f"{name} in the image is larger than {limit} bytes")
        return data
