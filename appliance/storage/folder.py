"""A directory whose names are used without ever following a link, and whose changes survive a power cut."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.errors import Conflict, NotFound

Step = Callable[[], None]
"""Called before each change; what it raises leaves the change undone."""
FULL = {errno.ENOSPC, errno.EDQUOT}
OTHERS_WRITE = 0o022


def go_on() -> None:
    """A step like any other."""


def opened(path: Path, step: Step = go_on) -> "Folder":
    """The directory, to be closed.

    Raises NotFound ``pool-missing`` where there is none, a link among it, and Conflict ``pool-shared`` where others may
    write: they could put what they like in the place of a volume. OSError for anything else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError) as error:
        hint = "see that its disk is connected and mounted there"
        raise NotFound("pool-missing", f"{path} is no directory of a pool", hint) from error
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or found.st_mode & OTHERS_WRITE:
        os.close(descriptor)
        raise Conflict("pool-shared", f"others may write in {path}", "make it ours, with mode 0700")
    return Folder(descriptor, path, step)


class Folder:
    """Names, relative to one open directory. All of it raises OSError."""

    def __init__(self, descriptor: int, path: Path, step: Step) -> None:
        self.descriptor, self.path, self.step = descriptor, path, step

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def names(self) -> list[str]:
        """All, sorted."""
        return sorted(os.listdir(self.descriptor))

    def status(self, name: str) -> os.stat_result | None:
        """Of the name itself, also where it is a link; None where there is none."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file; OSError ELOOP for a link. What is no file does not make us wait."""
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.descriptor)

    def begin(self, name: str, most: int) -> bytes | None:
        """The first bytes of a file; None where there is none that is a plain one and can be read."""
        try:
            descriptor = self.open(name, os.O_RDONLY)
        except OSError:
            return None
        try:
            return os.read(descriptor, most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
        finally:
            os.close(descriptor)

    def make(self, name: str) -> int:
        """A new file, open for reading and writing; one of that name must not be there."""
        self.step()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=self.descriptor)

    def put(self, name: str, content: bytes) -> None:
        """A file whole or not at all; file and name are on the disk when this returns."""
        with self.putting(name, content):
            """Nothing else has to be done before it has its name."""

    @contextlib.contextmanager
    def putting(self, name: str, content: bytes) -> Iterator[None]:
        """As ``put``, with work that is done in between: the file is written before, and has its name after it.

        A full file system is told before the work then. Nothing is left of it where the work fails.
        """
        part = f"{name}.part"
        self.remove(part)
        try:
            with open(self.make(part), "wb") as file:
                self.step()
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield
            self.rename(part, name)
        except Exception:
            with contextlib.suppress(OSError):
                self.remove(part)
            raise

    def rename(self, name: str, to: str) -> None:
        """In the place of what is there; on the disk when this returns."""
        self.step()
        os.rename(name, to, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        self.sync()

    def remove(self, name: str) -> None:
        """Nothing happens where it is not there; on the disk when this returns."""
        if self.status(name) is not None:
            self.step()
            os.unlink(name, dir_fd=self.descriptor)
            self.sync()

    def sync(self) -> None:
        """All names are on the disk when this returns."""
        os.fsync(self.descriptor)
