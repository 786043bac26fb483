"""Saying what happens in a lab that nobody steers."""

import asyncio
from collections.abc import Callable
from typing import Any

from appliance.errors import ApplianceError
from appliance.lab.lab import Lab
from appliance.lab.redact import redact

EVERY_SECONDS = 2.0

Status = dict[str, Any]


def changes(before: Status, after: Status) -> list[str]:
    """What to tell about the way from one ``Lab.status`` to the next.  Pure."""
    return [
        f"{name} has switched itself off; on again with: qrm lab power {name} on"
        for name, machine in after["machines"].items()
        if before["machines"][name]["running"] and not machine["running"] and machine["ended_with"] == 0
    ]


async def watch(lab: Lab, say: Callable[[str], None]) -> None:
    """Tell of machines that go off, until the lab ends; raises ``lab-daemon`` when the daemon ends by itself."""
    before = await lab.status()
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        after = await lab.status()
        for line in changes(before, after):
            say(line)
        require_daemon(lab, after)
        before = after


def require_daemon(lab: Lab, status: Status) -> None:
    """Raise ``lab-daemon`` with its last words when the lab should have a daemon and has none."""
    if lab.plan.daemon and status["daemon"] is None:
        said = redact(lab.directory.daemon_log.read_text(errors="replace").strip()[-2000:])
        raise ApplianceError("lab-daemon", f"the daemon has ended: {said}")
