"""The maintenance stack, the boot programs and the demo image, from the image builder."""

import json
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.lab.plan import DaemonPlan
from appliance.lab.process import capture

ROOT = Path(__file__).parents[2]
BUILDER = ROOT / "image-builder" / "build"


@dataclass(frozen=True, slots=True)
class Artefacts:
    """Directories as the daemon's configuration names them."""

    stack: Path
    programs: Path
    demo: Path

    def plan(self) -> DaemonPlan:
        """The daemon of a lab that uses them."""
        return DaemonPlan(str(self.stack), str(self.programs), (str(self.demo),))


async def build() -> Artefacts:
    """Build what is not built yet; progress goes to standard error. Raises ``lab-build``."""
    if not BUILDER.exists():
        hint = "run the lab from a checkout of the project"
        raise ApplianceError("lab-build", f"there is no image builder at {BUILDER}", hint)
    finished = await capture([str(BUILDER), "all"])
    if finished.status != 0:
        raise ApplianceError("lab-build", "the image builder failed; what it said is above")
    return parse(finished.stdout)


def parse(text: str) -> Artefacts:
    """What the builder printed: one JSON object with a directory for each."""
    try:
        paths = json.loads(text)
        found = Artefacts(*(Path(paths[name]).absolute() for name in ("stack", "programs", "demo")))
    except (ValueError, KeyError, TypeError) as error:
        raise ApplianceError("lab-build", f"the image builder's answer is not understood: {error!r}") from None
    return found
