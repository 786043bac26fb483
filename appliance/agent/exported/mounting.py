"""A file system that comes over a network, mounted for a while; and taken away where it was left mounted."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..disk.partitions import SAFE
from ..errors import AgentError, StepFailed
from ..installed.root import Root
from ..run import ProgramFailed, run

PATIENCE = 150.0
"""Seconds for mount, which knocks again for a minute by itself."""
FLUSH = 300.0
"""Seconds in which what was written must have arrived."""

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def ending(end: Callable[[], None]) -> Iterator[None]:
    """Do `end` at last, whatever happened. What goes wrong in it is told where nothing went wrong before."""
    try:
        yield
    except BaseException:
        with suppress(AgentError, OSError):
            end()
        raise
    end()


@contextmanager
def mounted(filesystem: str, options: str, source: str, point: Path) -> Iterator[Root]:
    """`source` mounted at `point`, written out and taken down in the end.

    Raises StepFailed where it does not mount, ProgramFailed and OSError where what was written may be lost.
    """
    point.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ending(lambda: unmount(point)):
        try:
            run(["mount", "-t", filesystem, "-o", f"{options},{SAFE}", source, str(point)], timeout=PATIENCE)
        except ProgramFailed as error:
            raise StepFailed("root-unreachable", f"the root {source} does not mount: {error.message}") from error
        yield Root(point)
        write_out(point)


def unmount(point: Path) -> None:
    """Take away all that is mounted at `point`. Raises ProgramFailed where that did not go without force."""
    while is_mounted(point):
        try:
            run(["umount", str(point)], timeout=FLUSH)
        except ProgramFailed:
            run(["umount", "--lazy", "--force", str(point)], timeout=FLUSH)
            raise


def is_mounted(point: Path) -> bool:
    """Whether something is. The kernel's list is asked: a look at the place itself may wait for a dead server."""
    return any(line.split()[1] == str(point) for line in Path("/proc/self/mounts").read_text().splitlines())


def write_out(point: Path) -> None:
    """Have the file system at `point` take what was written. Raises OSError where it did not (syncfs(2))."""
    fd = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(fd) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(point))
    finally:
        os.close(fd)
