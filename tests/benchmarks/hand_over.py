"""Deploy start to active when the maintenance stack hands over by kexec, against the same by a reboot."""

import time

from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator
from tests.benchmarks.bench import Bench, became, moment
from tests.benchmarks.figure import Figure

MOST = 1.0


async def measure(bench: Bench) -> list[Figure]:
    """The same machine, image and disk, first by kexec, then by reboot."""
    operator = bench.operators[0]
    await bench.darken()
    await bench.forget(operator)
    await operator.become_idle()
    await operator.change(maintenance=False, hand_over="kexec")
    by_kexec = await _deploy(bench, operator)
    await operator.act("release")
    await operator.wait("idle", BOOT_SECONDS)
    await bench.user.api.delete(f"/deployments/{operator.deployment}")
    await operator.change(hand_over="reboot")
    by_reboot = await _deploy(bench, operator)
    detail = f"{by_kexec:.1f} s / {by_reboot:.1f} s"
    return [Figure("hand-over", "deploy to active, kexec / reboot", by_kexec / by_reboot, "", MOST, detail)]


async def _deploy(bench: Bench, operator: Operator) -> float:
    """Seconds from the start of the deployment to active."""
    before = time.time()
    await operator.deploy(bench.user.public_key, operator.machine.plan.disks[0].serial)
    await operator.wait("active", DEPLOY_SECONDS)
    return await moment(operator, before, became("active")) - await moment(operator, before, became("deploying"))
