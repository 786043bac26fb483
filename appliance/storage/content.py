"""The content of files: shared or copied with its holes, and whether somebody has it open."""

import errno
import fcntl
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator

FICLONE = 0x40049409
"""linux/fs.h: a file gets the blocks of another one, as of one instant (ioctl_ficlonerange(2))."""
CANNOT_SHARE = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.ETXTBSY}
CANNOT_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
LOOKING = threading.Lock()
"""Held by whoever opens files only to look at them: two of us at once would each be somebody else to the other."""
AT_ONCE = 16 << 20
"""Bytes that are copied before it is asked whether to go on."""


def share(source: int, target: int) -> bool:
    """Give an empty file the content of another one; False where the file system cannot. Raises OSError."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in CANNOT_SHARE:
            return False
        raise
    return True


def copy(source: int, target: int, go_on: Callable[[float], None]) -> None:
    """The same, written; holes stay holes. Raises OSError.

    ``go_on`` is told now and then which share of the file is done, 0 to 1, and ends it by raising.
    """
    size, at = os.fstat(source).st_size, 0
    os.ftruncate(target, size)
    while at < size:
        try:
            begin = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        at = os.lseek(source, begin, os.SEEK_HOLE)
        for now in _copied(source, target, begin, at):
            go_on(now / size)


def _copied(source: int, target: int, at: int, end: int) -> Iterator[int]:
    """From where on it goes on, before each piece."""
    while at < end:
        yield at
        count = _some(source, target, at, min(AT_ONCE, end - at))
        if not count:
            return  # it was made shorter meanwhile: whoever asked compares
        at += count


def _some(source: int, target: int, at: int, count: int) -> int:
    try:
        return os.copy_file_range(source, target, count, at, at)
    except OSError as error:
        if error.errno not in CANNOT_COPY:
            raise
    return os.pwrite(target, os.pread(source, min(count, 1 << 20), at), at)


def is_open(descriptor: int) -> bool:
    """Whether somebody has a file open besides this descriptor: a program, a loop device, a VM. Raises OSError.

    A write lease is granted to nobody else (fcntl(2)). It is given back at once; a program that opens the file in that
    moment waits for it, and the signal that we get then is one that nobody minds.
    """
    if os.fstat(descriptor).st_uid != os.geteuid():
        return True  # libvirt gives a VM's files to its own user for as long as it runs
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return True
        raise
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def is_plain(status: os.stat_result | None) -> bool:
    """Whether it is a file, and no link, pipe or device that stands in the place of one."""
    return status is not None and stat.S_ISREG(status.st_mode)
