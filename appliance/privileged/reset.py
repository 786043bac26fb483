"""Carries out the verbs of ``verbs/reset.py``.

Nothing is removed here: a note for the boot loader, which takes it back before it starts the kernel with the word that
has the state partition made anew. Power that goes before the restart leaves everything as it is, but for the note.
"""

import os
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.trial import GRUBENV
from appliance.privileged.verb import Done
from appliance.privileged.verbs.reset import Factory
from appliance.updates.boot_choice import FRESH
from appliance.updates.grubenv import parse, render

NOTE = "factory_reset"
"""The boot loader's variable."""


async def factory(verb: Factory, on: Computer, tell: Tell) -> Done:
    """Raises ApplianceError ``boot-notes-unwritable``, and as ``command.said`` does where it cannot restart."""
    path = on.roots.boot / GRUBENV
    try:
        _arm(path)
    except OSError as error:
        text = f"the notes of the boot loader cannot be written: {error.strerror}"
        raise ApplianceError("boot-notes-unwritable", text, "nothing was reset; look at the disk") from error
    await on.run(["systemctl", "--no-block", "reboot"])
    return Done()


def _arm(path: Path) -> None:
    """The file keeps its place on the disk: the boot loader writes there without knowing its file system."""
    try:
        values = parse(path.read_bytes())
    except ApplianceError:
        values = dict(FRESH)
    block = render(values | {NOTE: "1"})
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, block, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
