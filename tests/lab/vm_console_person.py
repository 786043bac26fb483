"""What somebody does at the console again and again: go there, wait for it, compare, look from outside."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any

from console_desk import Desk, Tab
from console_witness import Truth
from playwright.async_api import Locator, expect

from appliance.errors import ApplianceError
from appliance.lab import ssh
from appliance.lab.api import Api
from appliance.lab.lab import Lab, LabMachine
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, LOGIN_SECONDS, until
from appliance.lab.redact import redact
from appliance.lab.report import last_lines, timeline_lines

NAME, PASSWORD = "ada", "analytical engines at night"
DEPLOYMENT = "web-1"
SOON = 15_000
"""Milliseconds in which a page answers, on a computer that emulates another one meanwhile."""
BOOT, DEPLOY = BOOT_SECONDS * 1000, DEPLOY_SECONDS * 1000
LOST = re.compile(r"^Connection lost\. What you see is from (\d\d):(\d\d):(\d\d)\. Trying to reconnect\.$")


@dataclass
class Facts:
    """What came out of the story."""

    target: str = ""
    """Serial number of the disk that was chosen; there was something on it."""
    machine: dict[str, Any] = field(default_factory=dict)
    """As the API shows it in the end."""
    timeline: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    """As the API shows them in the end, newest first."""
    true: list[Truth] = field(default_factory=list)
    end: float = 0.0
    """Unix time at which the tabs were closed."""
    tabs: list[Tab] = field(default_factory=list)
    killed: tuple[float, float] = (0.0, 0.0)
    """Unix times: the daemon was dead; it was ready again."""
    lost: dict[str, str] = field(default_factory=dict)
    """By tab: the time from which the page said that what it shows is."""
    compared: list[tuple[float, float, float]] = field(default_factory=list)
    """Progress of the deploy: of the API just before, in the strip or the drawer, of the API just after."""
    said_over_ssh: str = ""
    fingerprints: list[str] = field(default_factory=list)
    """Of the host keys, as the page shows them."""
    true_fingerprints: str = ""
    """Of the host keys, as ssh-keyscan and ssh-keygen say."""
    root_disk: str = ""
    boot_ids: list[str] = field(default_factory=list)
    """Of the deployed system, after each of its starts."""


class Person:
    """Sits at the desk, sees the wall, and may press the power button."""

    desk: Tab
    wall: Tab

    def __init__(self, lab: Lab, api: Api, desk: Desk) -> None:
        self._lab, self._api, self._browser = lab, api, desk
        (self._machine,) = lab.machines
        self._started = time.monotonic()
        self.facts = Facts(target=self._machine.plan.disks[1].serial)

    @property
    def machine(self) -> LabMachine:
        """The lab's only one."""
        return self._machine

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._started:6.1f} {text}", flush=True)

    async def _go(self, word: str) -> None:
        """By the navigation at the side."""
        await self.desk.page.locator("nav.side").get_by_role("link", name=word, exact=True).click()
        await expect(self.desk.page.locator("h1")).to_have_text(word)

    def _row(self, tab: Tab) -> Locator:
        return tab.page.locator('tr[id^="machine-"]')

    async def _state_of_deployment(self) -> str:
        return str((await self._api.get(f"/deployments/{DEPLOYMENT}"))["state"])

    async def _compare_progress(self, place: str, enough: float) -> None:
        """What a bar at the desk shows with the API's progress, until that is ``enough``."""
        shown = self.desk.page.locator(place)
        async with asyncio.timeout(DEPLOY_SECONDS):
            before = 0.0
            while before < enough:
                before = await self._progress()
                share = int((await shown.inner_text(timeout=SOON)).removesuffix("%")) / 100
                self.facts.compared.append((before, share, await self._progress()))
                await asyncio.sleep(1)

    async def _progress(self) -> float:
        (task,) = await self._api.items("/tasks", status="running")
        return float(task["progress"])

    async def _wait_for(self, state: str, milliseconds: float, wall: str = "") -> None:
        """Until the desk's page shows it, and the wall too, in its own word.

        A machine that has switched itself off is switched on.
        """
        async with asyncio.timeout(milliseconds / 1000):
            await until(lambda: self._shows(state))
        await expect(self._row(self.wall).locator(".c-state")).to_contain_text(wall or state, timeout=SOON)
        self._say(state)

    async def _shows(self, state: str) -> bool | None:
        if state != "stopped" and not (await self._machine.status())["running"]:
            self._say("it is off, and is switched on")
            await self._machine.power_on()
        word = await self.desk.page.locator("header .state .mark .word").first.inner_text()
        if word == "failed" != state:
            raise ApplianceError("lab-failed", await self.desk.page.locator("#live header").inner_text())
        return True if word == state else None

    async def _ssh(self, command: str) -> str:
        address = await self.desk.page.locator("dt:text-is('Address') + dd").inner_text()
        hosts = self._lab.directory.path / "known_hosts"

        async def probe() -> str | None:
            argv = ssh.strict_argv(self._lab.directory.ssh_key, hosts, address, command)
            finished = await self._lab.run(argv)
            return finished.stdout if finished.status == 0 else None

        async with asyncio.timeout(LOGIN_SECONDS):
            return await until(probe)

    async def _find_by_keys(self, name: str, kind: str) -> None:
        page = self.desk.page
        await page.keyboard.press("Control+k")
        box = page.get_by_role("combobox", name="Find anything")
        await expect(box).to_be_focused()
        await box.press_sequentially(name)
        chosen = page.locator("#palette [aria-selected=true]")
        await expect(chosen).to_contain_text(name, timeout=SOON)
        await expect(chosen.locator(".kind")).to_have_text(kind)
        await self.desk.picture(f"20-find-{kind}")
        await box.press("Enter")
        await expect(page.locator("h1")).to_have_text(name)

    async def circumstances(self) -> str:
        """What somebody who looks for a mistake wants to know."""
        for tab in self._browser.tabs:
            await tab.picture(f"failed-{tab.witness.tab}", dark=False)
        key = self.facts.machine.get("id")
        timeline = timeline_lines(await self._api.pages(f"/machines/{key}/timeline")) if key else []
        serial = last_lines(self._machine.serial_text())
        daemon = self._lab.directory.daemon_log.read_text(errors="replace").splitlines()[-20:]
        return redact("\n  ".join([*timeline, "serial:", *serial, "daemon:", *daemon]))
