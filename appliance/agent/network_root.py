"""Leaving for a root on the network by kexec: the kernel, the hand-over initrd, and what that has to know."""

import json
import tempfile
from pathlib import Path
from typing import Any

from .image.download import Source, download
from .job import Job, Params
from .run import ProgramFailed

KNOWN_AS = "qrm/root.json"
"""Where the hand-over initrd looks before it asks the appliance."""


def try_network_root(job: Job) -> str:
    """Load what starts the root; returns why that was not possible, "" when it was. Raises StepFailed."""
    root = job.params.inner("root")
    with tempfile.TemporaryDirectory() as directory:
        linux, initrd = Path(directory) / "linux", Path(directory) / "initrd"
        try:
            kernel, *parts = root.inners("files")
            _fetch(kernel, linux, job)
            for part in parts:
                _fetch(part, initrd, job)
            with initrd.open("ab") as file:
                file.write(archive(KNOWN_AS, json.dumps(root.inner("document").values).encode()))
            job.hardware.load_kernel(linux, initrd, root.text("cmdline"))
        except ProgramFailed as error:
            return error.message
    return ""


def _fetch(what: Params, onto: Path, job: Job) -> None:
    """Append a public file of the appliance to `onto`; its hash came by HTTPS. Raises StepFailed."""
    source = Source(what.text("url"), "", what.integer("bytes"), what.text("sha256"))

    def wait(seconds: float, why: str) -> None:
        job.waiting(f"waiting for the hand-over initrd: {why}")
        job.hardware.pause(seconds)

    with onto.open("ab") as whole:
        for chunk in download(source, wait):
            whole.write(chunk)
        whole.write(bytes(-whole.tell() % 4))  # each archive of an initrd begins at a multiple of four


def archive(name: str, content: bytes) -> bytes:
    """A cpio archive with one file that root alone may read, and the directory above it (newc; pure).

    The kernel's documentation has the format: driver-api/early-userspace/buffer-format.
    """
    parent = name.rpartition("/")[0]
    return _entry(parent, 0o040700, b"") + _entry(name, 0o100600, content) + _entry("TRAILER!!!", 0, b"")


def _entry(name: str, mode: int, content: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    fields: tuple[Any, ...] = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
