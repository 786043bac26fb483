"""``python one_machine.py BASE STACK PROGRAMS``: a lab whose appliance sends one machine the maintenance stack.

A program of its own, since whom it runs as is what is tested. It prints one JSON object.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from appliance.lab.lab import Lab
from appliance.lab.operator import until
from appliance.lab.plan import DaemonPlan, LabPlan, plan_machines
from appliance.lab.run import listen

SERVED = "starting the maintenance stack"
SECONDS = 120


async def main(base: Path, stack: str, programs: str) -> None:
    plan = LabPlan(plan_machines(1, "bios"), daemon=DaemonPlan(stack, programs))
    with listen(None) as web:
        async with Lab(plan, web=web, base=base) as lab, asyncio.timeout(SECONDS):
            (machine,) = lab.machines
            await machine.power_on()

            async def served() -> bool | None:
                return SERVED in machine.serial_text() or None

            await until(served)
            daemon = (await lab.status())["daemon"]
            print(json.dumps({"user": os.getuid(), "port": web.getsockname()[1], "daemon": daemon}))


asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
