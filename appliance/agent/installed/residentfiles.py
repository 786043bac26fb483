"""Putting the resident into a deployed system."""

import json
from pathlib import Path

from ..errors import StepFailed
from ..job import Params
from .root import Root

SOURCE = Path(__file__).resolve().parents[2] / "resident"
"""Beside the agent, in the stack (`/usr/lib/qrm/resident`) as in the source."""
UNIT = "qrm-resident.service"
KEPT = ("server", "control", "token", "machine", "deployment")


def install_resident(root: Root, params: Params) -> bool:
    """Program, settings, certificate authority, unit. Says whether the image can run it: systemd and Python."""
    if not (root.exists("/usr/lib/systemd/systemd") and root.exists("/usr/bin/python3")):
        return False
    for file in program_files(SOURCE):
        root.write(f"/usr/lib/qrm/resident/{file.name}", file.read_bytes())
    settings = {key: params.text(key, "") for key in KEPT}
    root.make_directory("/etc/qrm", 0o700)
    root.write("/etc/qrm/resident.json", json.dumps(settings, indent=1) + "\n", 0o600)
    root.write("/etc/qrm/ca.pem", params.text("ca_pem"))
    root.write(f"/etc/systemd/system/{UNIT}", (SOURCE / UNIT).read_bytes())
    root.link(f"/etc/systemd/system/multi-user.target.wants/{UNIT}", f"/etc/systemd/system/{UNIT}")
    return True


def program_files(source: Path) -> list[Path]:
    """The resident's own files. Raises StepFailed when the stack lacks them."""
    files = sorted(source.glob("*.py"))
    if not files:
        raise StepFailed("stack-incomplete", f"the maintenance stack has no resident in {source}")
    return files
