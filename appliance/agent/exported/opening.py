"""Opening an exported root, whatever an agent that was killed has left of an earlier one."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import StepFailed
from ..installed.root import Root
from ..run import ProgramFailed
from . import iscsi, nfs
from .given import ExportedRoot, NfsRoot
from .mounting import unmount

LOST = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENXIO, errno.ENODEV, errno.EREMOTEIO, errno.ENOLINK)


@contextmanager
def opened(
    root: ExportedRoot, mac: str, point: Path, pause: Callable[[float], None], at: Path = Path("/")
) -> Iterator[Root]:
    """The system of `root`, writable; given back in the end, whatever happens.

    `mac` is the card that it comes through, `point` where it is mounted, `at` where the computer's files begin.
    Raises StepFailed.
    """
    initiator = iscsi.Initiator(pause, at)
    with suppress(ProgramFailed):
        unmount(point)
    with suppress(ProgramFailed):
        initiator.end()
    with answering(root):
        if isinstance(root, NfsRoot):
            with nfs.opened(root, mac, point) as tree:
                yield _system(tree, root)
        else:
            with iscsi.opened(root, initiator, point) as tree:
                yield _system(tree, root)


@contextmanager
def answering(root: ExportedRoot) -> Iterator[None]:
    """Turn the errors of an export that was cut off, or whose server is gone, into StepFailed `root-unreachable`."""
    try:
        yield
    except OSError as error:
        if error.errno not in LOST:
            raise
        text = f"the root {root} stopped answering ({error.strerror}): its export has ended, or the line to it"
        raise StepFailed("root-unreachable", text) from error


def _system(tree: Root, root: ExportedRoot) -> Root:
    if tree.exists("/etc/os-release") or tree.exists("/usr/lib/os-release"):
        return tree
    raise StepFailed("no-root", f"the root {root} holds no /etc/os-release")
