"""Deploy start to active when the maintenance stack hands over by kexec, against the same by a reboot.

What a reboot costs more is firmware's self-test and netboot: some seconds in a virtual machine, minutes on a server.
Nothing is promised of the ratio here, where writing the image and starting the system make up the most of both.
"""

import time
from dataclasses import dataclass

from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator
from tests.benchmarks.bench import Bench, Item, became, moment
from tests.benchmarks.figure import Figure


@dataclass(frozen=True, slots=True)
class _Seconds:
    whole: float
    """From the start of the deployment to active."""
    hand_over: float
    """Of that, from the end of the last step before the hand-over."""


async def measure(bench: Bench) -> list[Figure]:
    """The same machine, image and disk, first by kexec, then by reboot."""
    operator = bench.operators[0]
    await bench.darken()
    await bench.forget(operator)
    await operator.become_idle()
    await operator.change(maintenance=False, hand_over="kexec")
    kexec = await _deploy(bench, operator)
    await operator.act("release")
    await operator.wait("idle", BOOT_SECONDS)
    await bench.user.api.delete(f"/deployments/{operator.deployment}")
    await operator.change(hand_over="reboot")
    reboot = await _deploy(bench, operator)
    return [
        _ratio("deploy to active, kexec / reboot", kexec.whole, reboot.whole),
        _ratio("configured to active, kexec / reboot", kexec.hand_over, reboot.hand_over),
    ]


def _ratio(what: str, kexec: float, reboot: float) -> Figure:
    return Figure("hand-over", what, kexec / reboot, "", None, f"{kexec:.1f} s / {reboot:.1f} s")


async def _deploy(bench: Bench, operator: Operator) -> _Seconds:
    before = time.time()
    await operator.deploy(bench.user.public_key, operator.machine.plan.disks[0].serial)
    await operator.wait("active", DEPLOY_SECONDS)
    active = await moment(operator, before, became("active"))
    started, configured = (
        await moment(operator, before, became("deploying")),
        await moment(operator, before, _configured),
    )
    return _Seconds(active - started, active - configured)


def _configured(item: Item) -> bool:
    return bool(item["kind"] == "step.done" and item["detail"].get("step") == "configure")
