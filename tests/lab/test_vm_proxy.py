"""Real firmware beside somebody else's DHCP server, on a subnet that is switched to proxy while it is served."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance.lab.administrator import first_administrator
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.operator import until
from appliance.lab.plan import BRIDGE, LabPlan, plan_machine
from appliance.lab.run import listen

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(400)]

SECONDS = 240
SERVED = "starting the maintenance stack"
FIRST, LAST = "10.77.0.210", "10.77.0.219"


@asynccontextmanager
async def neighbour(lab: Lab, directory: Path) -> AsyncIterator[Path]:
    """dnsmasq with a card of its own on the lab's switch, which knows nothing of network boot; its file of leases."""
    leases = directory / "dnsmasq.leases"
    holds = lab.inside_argv(["unshare", "--net", "sh", "-c", "echo $$; exec cat"])
    holder = await asyncio.create_subprocess_exec(*holds, stdin=PIPE, stdout=PIPE)
    assert holder.stdout is not None
    pid = (await holder.stdout.readline()).decode().strip()
    inside = ["nsenter", "--target", pid, "--net"]
    for argv in (
        ["ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1", "netns", pid],
        ["ip", "link", "set", "other0", "master", BRIDGE, "up"],
        [*inside, "ip", "address", "add", "10.77.0.2/24", "dev", "other1"],
        [*inside, "ip", "link", "set", "other1", "up"],
    ):
        (await lab.run(argv)).check(" ".join(argv))
    # -d: it neither forks nor changes its user, which a user namespace would not let it
    serve = [f"--dhcp-range={FIRST},{LAST},1h", f"--dhcp-leasefile={leases}", "--conf-file=/dev/null"]
    command = [*inside, "dnsmasq", "-d", "--port=0", "--interface=other1", "--bind-interfaces", *serve]
    server = await asyncio.create_subprocess_exec(*lab.inside_argv(command), stdout=DEVNULL, stderr=DEVNULL)
    try:
        yield leases
    finally:
        for process in (server, holder):
            process.kill()
            await process.wait()


async def test_a_bios_machine_boots_our_script_with_an_address_of_the_other_server(tmp_path: Path) -> None:
    daemon = (await build()).plan()
    with listen(None) as web:
        lab = Lab(LabPlan((plan_machine(0, "bios"),), daemon=daemon), web=web, base=tmp_path)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user, asyncio.timeout(SECONDS):
            switched = await user.api.patch(f"/network/subnets/{BRIDGE}", mode="proxy", confirm=BRIDGE)
            assert switched["mode"] == "proxy"
            async with neighbour(lab, tmp_path) as leases:
                (machine,) = lab.machines
                await machine.power_on()

                async def served() -> bool | None:
                    return SERVED in machine.serial_text() or None

                await until(served)
                (known,) = await user.api.items("/machines")
                assert known["macs"] == [machine.plan.nics[0].mac]
                assert IPv4Address(FIRST) <= IPv4Address(known["address"]) <= IPv4Address(LAST)
                assert f"{machine.plan.nics[0].mac} {known['address']}" in leases.read_text()
                assert await user.api.items("/network/leases") == [], "none of ours"
                told = [each["kind"] for each in await user.api.items(f"/machines/{known['id']}/timeline")]
                assert "script.served" in told
