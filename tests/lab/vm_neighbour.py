"""Somebody else's DHCP server on the lab's switch."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from appliance.lab.lab import Lab
from appliance.lab.plan import BRIDGE

FIRST, LAST = "10.77.0.210", "10.77.0.219"
"""What it gives."""


@asynccontextmanager
async def neighbour(lab: Lab, directory: Path, boot_options: str = "") -> AsyncIterator[Path]:
    """dnsmasq with a card of its own on the lab's switch; its file of leases.

    It knows nothing of network boot but ``boot_options``, lines of its configuration.
    """
    leases, config = directory / "dnsmasq.leases", directory / "dnsmasq.conf"
    await asyncio.to_thread(config.write_text, boot_options)
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
    serve = [f"--dhcp-range={FIRST},{LAST},1h", f"--dhcp-leasefile={leases}", f"--conf-file={config}"]
    command = [*inside, "dnsmasq", "-d", "--port=0", "--interface=other1", "--bind-interfaces", *serve]
    server = await asyncio.create_subprocess_exec(*lab.inside_argv(command), stdout=DEVNULL, stderr=DEVNULL)
    try:
        yield leases
    finally:
        for process in (server, holder):
            process.kill()
            await process.wait()
