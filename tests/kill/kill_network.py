"""Network namespaces that end with the last process or descriptor in them: nothing to clean up after a crash."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

GUARDED = ["setpriv", "--pdeathsig", "KILL"]
"""Put before a command: the kernel ends it when the test's own process ends, however that ends."""


class Network:
    """One network namespace. Sockets made and programs started within ``inside`` belong to it."""

    def __init__(self) -> None:
        with _returning():
            _checked(_libc.unshare(CLONE_NEWNET))
            self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        with self.inside():
            self._holder = subprocess.Popen([*GUARDED, "sleep", "infinity"])
            ip("link set lo up")

    @property
    def pid(self) -> int:
        """A process in the namespace, by which ``ip link`` names it."""
        return self._holder.pid

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread in the namespace."""
        with _returning():
            _checked(_libc.setns(self._fd, CLONE_NEWNET))
            yield

    def close(self) -> None:
        """End it; its interfaces go with it."""
        self._holder.kill()
        self._holder.wait()
        os.close(self._fd)


@contextmanager
def _returning() -> Iterator[None]:
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _checked(_libc.setns(before, CLONE_NEWNET))
        os.close(before)


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def ip(arguments: str) -> None:
    """ip(8) in the present namespace."""
    subprocess.run(["ip", *arguments.split()], check=True)
