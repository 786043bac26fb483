"""Carries out ``recipes.build``: starts the unit that makes an image by a recipe, and waits for its end.

Root neither reads the order nor runs any of it. The unit is the daemon's user, sees nothing of the daemon's state but
this one place, and has what mmdebstrap needs: namespaces, and the two programs that map users into them.
"""

import re
import stat

from appliance.errors import ApplianceError, Invalid, NotFound
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verb import Done
from appliance.privileged.verbs.recipes import LONGEST, Build
from appliance.recipes.order import BUILDING

UNIT = "appliance-recipe@{}.service"
_PLACE = re.compile(r"[0-9a-f]{16}")


async def build(verb: Build, on: Computer, tell: Tell) -> Done:
    """Raises as the verb says; a unit that failed has said why in its place."""
    if not _PLACE.fullmatch(verb.place):
        raise Invalid("recipe-place", f"{verb.place[:80]!r} is no place of ours", "", "place")
    path = on.roots.state.joinpath("var", "lib", "appliance", *BUILDING, verb.place)
    if not (path.parent.resolve() == path.parent and path.exists() and stat.S_ISDIR(path.lstat().st_mode)):
        raise NotFound("recipe-place", f"there is no order in {verb.place}", "ask for the image once more", "place")
    unit = UNIT.format(verb.place)
    # One that an earlier helper left behind works on the same files.
    await on.run(["systemctl", "stop", unit], 120.0)
    tell(None, "making the image")
    try:
        await on.run(["systemctl", "start", "--wait", unit], LONGEST)
    except ApplianceError as error:
        if error.code != "program-failed":
            raise
    finally:
        await on.run(["systemctl", "stop", unit], 120.0)
        await _forget_failure(on, unit)
    return Done()


async def _forget_failure(on: Computer, unit: str) -> None:
    """A unit that failed stays listed for ever, and there is one for each image that was tried."""
    try:
        await on.run(["systemctl", "reset-failed", unit])
    except ApplianceError as error:
        if error.code != "program-failed":  # systemd does not know it: it did not fail
            raise
