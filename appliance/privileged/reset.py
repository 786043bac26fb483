"""Carries out the verbs of ``verbs/reset.py``.

Nothing is removed here: a note for the boot loader, which takes it back before it starts the kernel with the word that
has the state partition made anew. Power that goes before the restart leaves everything as it is, but for the note.
"""

from appliance.errors import ApplianceError
from appliance.privileged.boot_notes import RESET, known, notes_used, write
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verb import Done
from appliance.privileged.verbs.reset import Factory
from appliance.updates.boot_choice import FRESH


async def factory(verb: Factory, on: Computer, tell: Tell) -> Done:
    """Raises ApplianceError ``boot-notes-unwritable``, and as ``command.said`` does where it cannot restart."""
    try:
        async with notes_used(on):
            write(on, {**(known(on) or FRESH), RESET: "1"})
    except OSError as error:
        text = f"the notes of the boot loader cannot be written: {error.strerror}"
        raise ApplianceError("boot-notes-unwritable", text, "nothing was reset; look at the disk") from error
    await on.run(["systemctl", "--no-block", "reboot"])
    return Done()
