"""A root by NFS 4.2, as the hand-over initrd mounts it, but for that: a server that is away ends in an error."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..installed.root import Root
from ..run import ProgramFailed, run
from .given import NfsRoot
from .mounting import mounted

OPTIONS = "rw,vers=4.2,proto=tcp,sec=sys,soft,timeo=300,retrans=3,retry=1"
"""`soft`: two minutes without an answer are an I/O error, which fails the step; `timeo` is in tenths of a second."""
CLIENT = Path("/sys/module/nfs/parameters/nfs4_unique_id")


@contextmanager
def opened(root: NfsRoot, mac: str, point: Path) -> Iterator[Root]:
    """The root, writable, at `point`; `mac` is the card that it comes through. Raises StepFailed, OSError."""
    with suppress(ProgramFailed):  # built in, or seen to by mount
        run(["modprobe", "-q", "-a", "nfs", "nfsv4"])
    call_oneself(f"qrm-{mac}")
    with mounted("nfs4", OPTIONS, str(root), point) as tree:
        yield tree


def call_oneself(name: str) -> None:
    """Servers tell clients apart by this name (RFC 8881, 2.4).

    It is the deployed system's, too: when that comes, the server forgets at once what this one had open.
    """
    with suppress(OSError):
        CLIENT.write_text(name)
