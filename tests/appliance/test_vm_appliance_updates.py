"""Updates of the flashed appliance: a good one, a broken one, and one that loses power in the middle."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from appliance_world import BOOT_SECONDS, Appliance, appliance_lab, image, plan, seed
from bundles import PACKAGE, VERSION_FILE, Root, make
from remote import Remote

from appliance import __version__
from appliance.lab.operator import Operator, until
from appliance.lab.plan import plan_machine

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(5400)]

GOOD, BROKEN, CUT = "0.2.0", "0.3.0", "0.4.0"
SCHEMA = f"{PACKAGE}/store/schema.py"
JUDGE = "/usr/lib/systemd/system/appliance-good.service"
UPDATE_SECONDS = 1500
"""For a bundle of half a gigabyte: brought over TLS, written, and started, emulated."""
FALL_BACK_SECONDS = 4 * BOOT_SECONDS
"""Three starts of what does not work, and one of what does."""


def later(root: Root, version: str) -> Root:
    """What the next release would be: it says another version, and stores something more."""
    text = root.read(VERSION_FILE)
    assert f'__version__ = "{__version__}"' in text
    schema = root.read(SCHEMA)
    more = schema + '\nMIGRATIONS = (*MIGRATIONS, "CREATE TABLE of_a_later_version (n INTEGER) STRICT")\n'
    about = root.read("/usr/share/qrm/version").replace(f"VERSION={__version__}", f"VERSION={version}")
    return root.put({
        VERSION_FILE: text.replace(__version__, version), SCHEMA: more, "/usr/share/qrm/version": about,
    })  # fmt: skip


def broken(root: Root, version: str) -> Root:
    """Its daemon ends before it has read the rest of itself; what judges it waits a minute in place of ten."""
    serve = f"{PACKAGE}/daemon.py"
    judge = root.read(JUDGE)
    assert "qrm slot judge\n" in judge
    return later(root, version).put({
        serve: 'raise RuntimeError("a defect of this version")\n' + root.read(serve),
        JUDGE: judge.replace("qrm slot judge\n", "qrm slot judge --deadline 60\n"),
    })  # fmt: skip


@dataclass
class Owner:
    """Who updates the appliance, and sees to it that all is still there."""

    appliance: Appliance
    remote: Remote
    node: Operator
    bundles: Path

    async def install(self, version: str, *words: str) -> None:
        """Bring a version and write it."""
        file = self.bundles / f"appliance-{version}.raucb"
        await self.remote.does("update", "install", str(file), *words, seconds=UPDATE_SECONDS)

    async def standing(self) -> dict[str, Any] | None:
        """What the appliance says of its slots and updates; None while it does not answer."""
        finished = await self.remote.tries("update", "status", "--json")
        return json.loads(finished.stdout) if finished.status == 0 else None

    async def until_decided(self, version: str, stage: str, seconds: float = UPDATE_SECONDS) -> dict[str, Any]:
        """Wait until an update to a version came to its end; what is known of it."""

        async def probe() -> dict[str, Any] | None:
            found = await self.standing()
            newest = next((each for each in found["updates"] if each["version"] == version), None) if found else None
            return newest if newest is not None and newest["stage"] == stage else None

        try:
            async with asyncio.timeout(seconds):
                return await until(probe)
        except TimeoutError:
            raise AssertionError(f"not {stage}: {await self.standing()}") from None

    async def runs(self) -> tuple[str, str]:
        """Letter and version of what runs; slots are not known while RAUC does not answer."""

        async def probe() -> tuple[str, str] | None:
            found = await self.standing()
            running = [each["letter"] for each in found["slots"] if each["running"]] if found else []
            return (running[0], found["version"]) if found and running else None

        async with asyncio.timeout(BOOT_SECONDS):
            return await until(probe)

    async def sees_all_of_before(self) -> None:
        """The user, the machine in its state, its address, and that it is heard."""
        async with self.appliance.user() as api:
            (lease,) = [
                each for each in await api.items("/network/leases") if each["mac"] == self.node.machine.plan.nics[0].mac
            ]
            assert lease["address"] == "10.77.0.50"
            since = (await api.get(f"/machines/{self.node.id}"))["last_seen"]

            async def heard() -> bool | None:
                seen = await api.get(f"/machines/{self.node.id}")
                assert seen["state"] == "idle"
                return seen["last_seen"] > since or None

            async with asyncio.timeout(120):
                await until(heard)


@asynccontextmanager
async def owner(directory: Path) -> AsyncIterator[Owner]:
    """An appliance with one idle machine, and three updates to it."""
    bundles = directory / "bundles"
    bundles.mkdir()
    await asyncio.to_thread(_make_bundles, await image(), bundles)
    async with appliance_lab(directory, plan("bios"), (plan_machine(0, "bios"),), seed(), print) as appliance:
        await appliance.switch_on()
        await appliance.console_answers()
        remote = Remote(directory / "home")
        await remote.log_in(appliance)
        async with appliance.user() as api:
            node = Operator(appliance.lab, api, appliance.lab.machine("node1"), "web-1", print)
            await node.become_idle()
        yield Owner(appliance, remote, node, bundles)


def _make_bundles(built: Path, into: Path) -> None:
    root = Root.of(built, into / "root.img")
    make(later(root.copy(into / "good.img"), GOOD), GOOD, into)
    make(broken(root.copy(into / "broken.img"), BROKEN), BROKEN, into)
    make(later(root, CUT), CUT, into)


async def test_good_updates_stay_and_broken_ones_go_back_by_themselves(tmp_path: Path) -> None:
    async with owner(tmp_path) as someone:
        assert await someone.runs() == ("A", __version__)
        await someone.install(GOOD, "--restart")
        await someone.until_decided(GOOD, "good")
        assert await someone.runs() == ("B", GOOD)
        await someone.sees_all_of_before()

        await someone.install(BROKEN, "--restart")
        given_up = await someone.until_decided(BROKEN, "fell-back", FALL_BACK_SECONDS)
        assert len(given_up["tries"]) == 3
        assert "a defect of this version" in str(given_up)
        assert await someone.runs() == ("B", GOOD)
        await someone.sees_all_of_before()

        await cut_power_while_writing(someone)
        assert await someone.runs() == ("B", GOOD)
        await someone.sees_all_of_before()
        await someone.install(CUT, "--restart")
        await someone.until_decided(CUT, "good")
        assert await someone.runs() == ("A", CUT)
        await someone.sees_all_of_before()


async def cut_power_while_writing(someone: Owner) -> None:
    """In the middle of what RAUC writes; the console is back afterwards."""
    file = someone.bundles / f"appliance-{CUT}.raucb"
    await someone.remote.does("update", "upload", str(file), seconds=UPDATE_SECONDS)
    async with someone.appliance.user() as api:
        task = await api.post("/appliance/update/install", version=CUT)

        async def half_written() -> bool | None:
            found = await api.get(f"/tasks/{task['id']}")
            assert found["status"] in ("waiting", "running"), found
            return (found["progress"] or 0) > 0.5 or None

        async with asyncio.timeout(UPDATE_SECONDS):
            await until(half_written)
        with_power = someone.appliance.machine
        await with_power.kill()
    await someone.appliance.switch_on()
    await someone.appliance.console_answers(BOOT_SECONDS)
    await someone.until_decided(CUT, "cut-off")
