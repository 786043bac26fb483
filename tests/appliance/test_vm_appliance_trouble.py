"""What goes wrong around an appliance that serves: it recovers by itself, and says what happened."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from appliance_world import PASSWORD, USER, Appliance, appliance_lab, plan, seed
from serial_line import SerialLine, Shell

from appliance.errors import ApplianceError
from appliance.lab.api import Api
from appliance.lab.operator import BOOT_SECONDS, Operator, until
from appliance.lab.plan import plan_machine
from appliance.lab.qemu import netdev

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(5400)]

RECOVERS_SECONDS = 300
"""Until a computer that is emulated serves again; the minute that a network is on trial is in it."""
TRIED = {
    "address": "ip -brief address show nic0 | grep -q 10.78.0.20/24",
    "bridge": "ip -brief address show br0 | grep -q 10.78.0.10/24",
    "bond": "ip -brief address show bond0 | grep -q 10.78.0.10/24",
    "vlan": "ip -brief address show nic0.42 | grep -q 192.0.2.5/24",
}
"""What holds in the kernel while it is tried, and not before or after."""
HELPER = "/run/appliance/helper.sock"
PENDING = "/state/etc/qrm/network.pending"
"""There while a change is tried."""
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "address": ("nic0", {"kind": "nic", "method": "static", "addresses": ["10.78.0.20/24"], "roles": ["management"]}),
    "bridge": ("br0", {"kind": "bridge", "ports": ["nic0"]}),
    "bond": ("bond0", {"kind": "bond", "ports": ["nic0"]}),
    "vlan": ("nic0.42", {"kind": "vlan", "parent": "nic0", "tag": 42, "method": "static",
                         "addresses": ["192.0.2.5/24"], "roles": ["storage"]}),
}  # fmt: skip
"""Each kind of change, all of them around the card that people reach the console by."""


@dataclass
class Watch:
    """Somebody who has the console, the serial line and the plugs in reach."""

    appliance: Appliance
    line: SerialLine
    api: Api
    node: Operator

    async def until(self, holds: Callable[[], Awaitable[Any]], what: str, seconds: float = RECOVERS_SECONDS) -> Any:
        """Wait until there is an answer; the console may be away in between."""

        async def probe() -> Any:
            try:
                return await holds() or None
            except ApplianceError:
                return None

        try:
            async with asyncio.timeout(seconds):
                return await until(probe)
        except TimeoutError:
            raise AssertionError(f"{what}: not so") from None

    async def event(self, kind: str, words: str, after: int) -> dict[str, Any]:
        """Wait for an event that says so, later than the one with this number."""

        async def told() -> dict[str, Any] | None:
            found = await self.api.items("/events", kind=kind)
            return next((each for each in found if each["id"] > after and words in each["text"]), None)

        return dict(await self.until(told, f"event {kind} {words}"))

    async def heard_of_node(self) -> None:
        """The machine is idle, and polls."""
        since = (await self.until(self.node.look, "the machine in the console"))["last_seen"]

        async def heard() -> bool:
            seen = await self.node.look()
            assert seen["state"] == "idle", seen
            return bool(seen["last_seen"] > since)

        await self.until(heard, "the machine is heard")

    async def network(self) -> dict[str, Any]:
        """The appliance's own networks."""
        return dict(await self.api.get("/appliance/network"))

    async def latest(self) -> int:
        """The number of the newest event."""
        return max(int(each["id"]) for each in await self.api.items("/events"))


async def test_an_appliance_recovers_and_says_what_happened(tmp_path: Path) -> None:
    async with appliance_lab(tmp_path, plan("bios"), (plan_machine(0, "bios"),), seed(), print) as appliance:
        line = SerialLine(appliance.machine)
        await appliance.switch_on()
        await appliance.console_answers()
        async with appliance.user() as api:
            node = Operator(appliance.lab, api, appliance.lab.machine("node1"), "web-1", print)
            await node.become_idle()
            watch = Watch(appliance, line, api, node)
            async with line.shell(USER, PASSWORD) as shell:
                await daemon_killed(watch, shell)
                await helper_killed(watch, shell)
                await state_full(watch, shell)
                for kind in CHANGES:
                    await nobody_confirms(watch, shell, kind)
            await cable_pulled(watch)
            for kind in CHANGES:
                await power_fails(watch, await line.log_in(USER, PASSWORD), kind)
            await watch.heard_of_node()
            await everything_erased(watch)


async def daemon_killed(watch: Watch, shell: Shell) -> None:
    """kill -9: it is started again, the machine goes on, and the event says that it had been killed."""
    since = await watch.latest()
    await shell.do("systemctl kill --signal=KILL appliance.service")
    await watch.event("daemon.interrupted", "killed", since)
    await watch.heard_of_node()


async def helper_killed(watch: Watch, shell: Shell) -> None:
    """kill -9 in the middle of a call: that call says so, and the next one is answered."""

    async def updates() -> str:
        return str((await watch.api.get("/appliance/update"))["trouble"])

    async def cut_off() -> bool:
        async with asyncio.TaskGroup() as asking:
            asked = asking.create_task(updates())
            await shell.do(f"until ss -Hx state connected src {HELPER} | grep -q .; do sleep 0.5; done")
            await shell.do("systemctl kill --signal=KILL appliance-helper.service")
        # The screen asks the helper, too: that may have been its call.
        return "the privileged helper ended in the middle" in asked.result()

    async def known() -> bool:
        return not await updates()

    # The helper asks RAUC, which does not answer: whoever asks the helper for updates waits in the middle of a call.
    await shell.do("systemctl start rauc.service && systemctl kill --signal=STOP rauc.service")
    await watch.until(cut_off, "a call of the helper was cut off")
    await shell.do("systemctl kill --signal=CONT rauc.service")
    await watch.until(known, "updates are known again")


async def state_full(watch: Watch, shell: Shell) -> None:
    """A full state partition: said, machines and names go on; with room again, all is well again."""
    since, node = await watch.latest(), watch.node
    leases = await addresses(watch)
    await shell.do("fallocate -l $(($(df --output=avail -B1 /state | tail -1) - 4194304)) /state/filled")
    await shell.run("dd if=/dev/zero of=/state/filled-up bs=64K; sync")
    await watch.until(lambda: says_full(watch), "the console says that the disk is full")
    await watch.heard_of_node()
    assert await addresses(watch) == leases
    await shell.do("rm /state/filled /state/filled-up")
    await watch.event("state.room", "has room again", since)
    heard = (await node.look())["last_seen"]
    await node.machine.kill()
    await node.machine.power_on()
    await node.wait_for(lambda seen: seen["state"] == "idle" and seen["last_seen"] > heard + 10, BOOT_SECONDS)
    assert await addresses(watch) == leases


async def addresses(watch: Watch) -> set[tuple[str, str]]:
    """The leases."""
    return {(each["mac"], each["address"]) for each in await watch.api.items("/network/leases")}


async def says_full(watch: Watch) -> bool:
    """Whether the health page tells it."""
    health = await watch.api.get("/appliance/health")
    return any(each["part"] == "state" and each["level"] == "bad" for each in health["findings"])


async def cable_pulled(watch: Watch) -> None:
    """The provisioning cable: said, and nothing is lost when it is back."""
    since = await watch.latest()
    card = netdev(1)
    await watch.appliance.machine.qmp("set_link", name=card, up=False)
    await watch.event("network.link", "no link on nic1", since)
    await watch.appliance.machine.qmp("set_link", name=card, up=True)
    await watch.event("network.link", "again", since)
    await watch.heard_of_node()


async def put_on(watch: Watch, shell: Shell, kind: str) -> dict[str, Any]:
    """Have the change tried, as the console would: what it means is asked first. The networks as they were."""
    before = await watch.network()
    name, wanted = CHANGES[kind]
    means = await watch.api.put(f"/appliance/network/interfaces/{name}", **wanted, only_plan=True)
    print(f"{kind}: {' '.join(means['lines'])} {means['lost']}")
    await watch.api.put(f"/appliance/network/interfaces/{name}", **wanted, confirm=means["confirm"] or None)
    await shell.do(f"until test -e {PENDING}; do sleep 0.5; done")
    return before


async def taken_back(watch: Watch, kind: str, before: dict[str, Any], since: int, why: str, seconds: float) -> None:
    """The console is where it was, the networks are as before, and it is said why."""

    async def is_as_before() -> bool:
        found = await watch.network()
        return found["trial"] is None and found["interfaces"] == before["interfaces"] and bool(found["reverted"])

    await watch.until(is_as_before, f"{kind} is taken back", seconds)
    assert why in (await watch.network())["reverted"]["why"]
    event = await watch.event("appliance.network", "was taken back", since)
    assert why in event["reason"]


async def nobody_confirms(watch: Watch, shell: Shell, kind: str) -> None:
    """With the daemon dead for all of that time: the address comes back all the same."""
    since = await watch.latest()
    before = await put_on(watch, shell, kind)
    await shell.do("systemctl kill --signal=KILL appliance.service; systemctl stop appliance.service")
    is_on = TRIED[kind]
    await shell.do(f"until {is_on}; do sleep 0.5; done")
    await shell.do(f"while test -e {PENDING}; do sleep 1; done")
    assert "10.78.0.10/24" in await shell.do("ip -color=never -brief address show nic0")
    assert (await shell.run(is_on)).status != 0, f"{kind} is still on"
    await shell.do("systemctl start appliance.service", RECOVERS_SECONDS)
    await taken_back(watch, kind, before, since, "nobody confirmed", RECOVERS_SECONDS)


async def power_fails(watch: Watch, shell: Shell, kind: str) -> None:
    """While it is tried: after the start everything is as it was."""
    since = await watch.latest()
    before = await put_on(watch, shell, kind)
    await watch.appliance.machine.kill()
    await watch.appliance.switch_on()
    await taken_back(watch, kind, before, since, "restarted", BOOT_SECONDS)
    await watch.event("daemon.interrupted", "lost power", since)


async def everything_erased(watch: Watch) -> None:
    """Factory reset, at the screen: nobody has an account then, and it has its first name again."""
    await watch.line.chooses("Factory reset")
    await watch.line.sees("There is no way back")
    await watch.line.types("erase everything\r")
    await watch.line.sees("Nobody has an account yet", BOOT_SECONDS)
    await watch.line.front()
    assert "rack1" not in " ".join(watch.line.lines)
