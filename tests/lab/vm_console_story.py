"""The main job from the set-up link to a machine that is idle again, by clicking only.

Two tabs of one log-in are open: the desk, at which somebody works, and the wall, which shows the list of machines all
day and is never touched or loaded again. The API is only asked, never told anything.
"""

import asyncio
import re
import time
from pathlib import Path

from console_desk import sit_down
from console_witness import truths
from playwright.async_api import Error, expect
from vm_console_person import BOOT, DEPLOY, DEPLOYMENT, LOST, NAME, PASSWORD, SOON, Facts, Person

from appliance.errors import ApplianceError
from appliance.lab import ssh
from appliance.lab.api import connect
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.plan import APPLIANCE_ADDRESS, DOMAIN, LabPlan, plan_machine
from appliance.lab.run import listen
from appliance.lab.setup_link import read_setup_link


class Clicker(Person):
    """Lives the story, chapter by chapter."""

    async def tell(self) -> None:
        """The whole story; raises where it takes a wrong turn."""
        await self._become_administrator()
        await self._see_it_arrive()
        await self._take_it_into_the_fleet()
        await self._make_a_deployment()
        await self._start_the_deployment()
        await self._lose_the_daemon_in_mid_write()
        await self._see_it_active()
        await self._log_in_to_it()
        await self._stop_it()
        await self._start_it_again()
        await self._release_it()
        await self._look_back()

    async def _become_administrator(self) -> None:
        self.desk = await self._browser.tab("desk")
        page, link = self.desk.page, read_setup_link(self._lab.directory.daemon_state)
        await page.goto(link.target)
        shown = await page.locator(".fingerprint .figure").inner_text()
        assert re.sub(r"[^0-9a-f]", "", shown.lower()) == re.sub(r"[^0-9a-f]", "", link.fingerprint.lower())
        await self.desk.picture("01-set-up")
        await page.fill("#name", NAME)
        for field_name in ("#password", "#again"):
            await page.fill(field_name, PASSWORD)
        await page.click("text=Create administrator")
        await expect(page.locator("h2", has_text="No machine yet")).to_be_visible()
        await page.click("text=Log out")
        await page.goto(link.target)
        await expect(page.get_by_role("alert")).to_be_visible()
        assert await page.locator("#password").count() == 0
        await self.desk.picture("02-link-used")
        await page.get_by_role("link", name="Log in").click()
        await page.fill("#name", NAME)
        await page.fill("#password", PASSWORD)
        await self.desk.picture("03-log-in")
        await page.click("button.primary")
        await expect(page.locator("h1")).to_have_text("Overview")
        self.desk.complaints.clear()  # the browser tells of the refusal of the used link
        await self._api.log_in(NAME, PASSWORD)

    async def _see_it_arrive(self) -> None:
        self.wall = await self._browser.tab("wall")
        await self.wall.page.goto("/machines")
        await expect(self.wall.page.locator("h2")).to_have_text("No machine yet")
        await self.desk.page.bring_to_front()
        await self.desk.picture("04-empty")
        self._say("power on")
        await self._machine.power_on()
        await expect(self._row(self.wall)).to_contain_text("discovered", timeout=BOOT)
        await expect(self.wall.page.locator("form[data-filter]")).to_be_visible(timeout=SOON)
        self._say("it stands in the list")
        await expect(self.desk.page.locator("#count-discovered .number")).to_have_text("1", timeout=SOON)
        await expect(self._row(self.wall).locator(".c-state")).to_contain_text("idle", timeout=BOOT)
        await expect(self._row(self.wall)).to_contain_text("maintenance")
        self._say("idle")
        waiting = self.desk.page.locator('[id^="waiting-"]')
        await expect(waiting).to_be_visible(timeout=SOON)
        await self.desk.picture("05-overview")
        await self.wall.picture("06-machines")

    async def _take_it_into_the_fleet(self) -> None:
        page = self.desk.page
        await self._go("Machines")
        await page.locator('tr[id^="machine-"] .c-name a').click()
        name = await page.locator("h1").inner_text()
        await page.click("text=Take out of maintenance")
        await expect(page.get_by_role("button", name="Put into maintenance")).to_be_visible()
        await expect(self._row(self.wall)).not_to_contain_text("maintenance", timeout=SOON)
        await self.desk.picture("07-machine", dark=False)
        await page.get_by_role("link", name="Inventory").click()
        await expect(page.locator("#live")).to_contain_text(self.facts.target)
        await self.desk.picture("08-inventory")
        await self._tag_many()
        self.facts.machine = (await self._api.items("/machines"))[0]
        assert self.facts.machine["name"] == name
        assert self.facts.machine["maintenance"] is False
        assert self.facts.machine["tags"] == ["rack-1"]

    async def _tag_many(self) -> None:
        page = self.desk.page
        await self._go("Machines")
        await page.get_by_label("Choose all machines of this page").check()
        await expect(page.locator("[data-chosen]")).to_have_text("1 chosen")
        await self.desk.picture("09-chosen", dark=False)
        await page.locator(".bulk-acts").get_by_role("button", name="Tag", exact=True).click()
        await page.fill("#tags", "rack-1")
        await self.desk.picture("10-bulk", dark=False)
        await page.locator(".form-end button").click()
        await expect(page.locator("header .state")).to_contain_text("done", timeout=SOON)
        await expect(page.locator(".item-done")).to_be_visible()
        await self.desk.picture("11-bulk-task", dark=False)

    async def _make_a_deployment(self) -> None:
        page, fits = self.desk.page, self.desk.page.locator("#fits")
        await self._go("Deployments")
        await page.get_by_role("link", name="New deployment").first.click()
        await page.fill("#name", DEPLOYMENT)
        await expect(fits.locator("h2")).to_have_text("1 of 1 machine would do")
        await expect(fits).to_contain_text("Yes, writes to")
        await page.fill("#cpus", "64")
        await expect(fits.locator("h2")).to_have_text("0 of 1 machine would do", timeout=SOON)
        await expect(fits).to_contain_text("No:")
        await self.desk.picture("12-does-not-fit", dark=False)
        await page.fill("#cpus", "")
        await expect(fits.locator("h2")).to_have_text("1 of 1 machine would do", timeout=SOON)
        await page.select_option("#machine", self.facts.machine["id"])
        await page.locator("select#disk").select_option(self.facts.target, timeout=SOON)
        await expect(fits.locator("h2")).to_have_text("It would run there", timeout=SOON)
        await expect(fits).to_contain_text(self.facts.target, timeout=SOON)
        assert await page.is_checked("input[value=named]")
        await page.fill("#ssh_keys", await ssh.make_key(self._lab.directory.ssh_key))
        await page.get_by_label("Wipe the disk on release").check()
        await self.desk.picture("13-form")
        await page.click("text=Create deployment")
        await expect(page.locator("h1")).to_have_text(f"Start {DEPLOYMENT}")
        assert await self._state_of_deployment() == "released"

    async def _start_the_deployment(self) -> None:
        page, serial = self.desk.page, self.facts.target
        button = page.get_by_role("button", name=f"Overwrite {serial} and start {DEPLOYMENT} on")
        await expect(page.locator(".dies")).to_contain_text("ext4")
        await expect(button).to_be_disabled()
        await self.desk.picture("14-overwrite")
        await page.fill("#typed", serial)
        await button.click()
        self._say("started")
        await expect(page.locator("h1")).to_have_text(DEPLOYMENT)
        await expect(page.locator("header .state")).to_contain_text("deploying", timeout=SOON)
        await expect(page.locator("#tasks summary")).to_contain_text("1 task running", timeout=SOON)

    async def _lose_the_daemon_in_mid_write(self) -> None:
        await self._compare_progress("#tasks summary .share", 0.15)
        await self.desk.page.locator("#tasks summary").click()
        await self._compare_progress("#tasks .drawer .share", 0.3)
        await self.desk.picture("15-deploying")
        await self.wall.picture("16-machines-deploying", dark=False)
        self._say("the daemon is killed")
        await self._lab.daemon_kill()
        dead = time.time()
        for tab in (self.desk, self.wall):
            await expect(tab.page.locator(".stale")).to_have_text(LOST, timeout=SOON)
            told = LOST.match(await tab.page.locator(".stale").inner_text())
            assert told is not None
            self.facts.lost[tab.witness.tab] = ":".join(told.groups())
        await self.desk.picture("17-connection-lost")
        await self._lab.daemon_start()
        self.facts.killed = (dead, time.time())
        self._say("the daemon is ready again")
        for tab in (self.desk, self.wall):
            await expect(tab.page.locator(".stale")).to_be_hidden(timeout=60_000)
        self._say("the pages are current again")
        assert await self._state_of_deployment() == "deploying", "it was killed too late to matter"
        await expect(self.desk.page.locator("header .state")).to_contain_text("deploying")

    async def _see_it_active(self) -> None:
        await self._wait_for("active", DEPLOY)
        await self.desk.picture("18-active")

    async def _log_in_to_it(self) -> None:
        """With nothing but what the page shows."""
        page = self.desk.page
        told = await page.locator(".copyable").inner_text()
        assert told == f"ssh root@{DEPLOYMENT}.{DOMAIN}"
        keys = page.locator("dl.facts dd.breakable[title]")
        shown = await keys.evaluate_all("all => all.map(each => [each.title, each.textContent])")
        self.facts.fingerprints = [text.split(" ")[1] for _, text in shown]
        address = await page.locator("dt:text-is('Address') + dd").inner_text()
        hosts = self._lab.directory.path / "known_hosts"
        hosts.write_text(ssh.known_hosts(address, [key for key, _ in shown]))
        resolved = await self._lab.run(["dig", "+short", f"@{APPLIANCE_ADDRESS}", told.partition("@")[2], "A"])
        assert resolved.stdout.split() == [address]
        scanned = await self._lab.run(["sh", "-c", f"ssh-keyscan -T 20 {address} | ssh-keygen -lf -"], seconds=120)
        self.facts.true_fingerprints = scanned.stdout
        where = 'lsblk -dno SERIAL "/dev/$(lsblk -no PKNAME "$(findmnt -no SOURCE /)")"; hostname'
        self.facts.root_disk, self.facts.said_over_ssh = (await self._ssh(where)).split()
        self.facts.boot_ids.append((await self._ssh("cat /proc/sys/kernel/random/boot_id")).strip())

    async def _stop_it(self) -> None:
        page = self.desk.page
        await page.get_by_role("link", name="Stop").click()
        await page.get_by_role("button", name=f"Stop {DEPLOYMENT}").click()
        await self._wait_for("stopped", BOOT)
        await expect(page.locator("#live")).to_contain_text("It can be reached once it is active")
        await self.desk.picture("19-stopped", dark=False)

    async def _start_it_again(self) -> None:
        page = self.desk.page
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("header .state")).to_contain_text("starting", timeout=SOON)
        await self._find_by_keys(self.facts.machine["name"], "machine")
        await self._read_the_tabs()
        await self._find_by_keys(DEPLOYMENT, "deployment")
        await self._wait_for("active", BOOT)
        self.facts.boot_ids.append((await self._ssh("cat /proc/sys/kernel/random/boot_id")).strip())

    async def _read_the_tabs(self) -> None:
        """Of the machine's page: why did it boot this, what did its kernel say, which lease has it."""
        await self._machine.power_on()
        page = self.desk.page
        await page.get_by_role("link", name="Timeline", exact=True).click()
        why = page.locator("ol.timeline li", has=page.locator(".kind-script-served")).first.locator(".why")
        await expect(why).not_to_be_empty()
        await self.desk.picture("21-timeline")
        await page.get_by_role("link", name="Boot messages").click()
        said = page.locator("pre.kernel-said")
        await expect(said).to_have_count(2)
        await expect(said.first).to_contain_text("Linux version")
        await expect(said.last).to_contain_text("Linux version")
        assert "qrm.token=[left out]" in await said.first.inner_text()
        await self.desk.picture("22-boot-messages", dark=False)
        await page.locator("nav.tabs").get_by_role("link", name="Network", exact=True).click()
        lease = page.locator("dt:text-is('Leased') + dd")
        await expect(lease).to_contain_text(str(self.facts.machine["address"]))
        await self.desk.picture("23-network", dark=False)

    async def _release_it(self) -> None:
        page, serial = self.desk.page, self.facts.target
        await page.get_by_role("link", name="Release").click()
        button = page.get_by_role("button", name=f"Wipe {serial} and release {DEPLOYMENT}")
        await expect(button).to_be_disabled()
        await expect(page.locator(".dies")).to_contain_text(f"system and data of {DEPLOYMENT}")
        await self.desk.picture("24-release")
        await page.fill("#typed", DEPLOYMENT)
        await button.click()
        await expect(page.locator("header .state")).to_contain_text("releasing", timeout=SOON)
        await self.desk.picture("25-releasing", dark=False)
        await self._wait_for("not running", BOOT, wall="idle")

    async def _look_back(self) -> None:
        page = self.desk.page
        assert await self._state_of_deployment() == "released"
        await self._go("Overview")
        await expect(page.locator("#count-idle .number")).to_have_text("1")
        await self.desk.picture("26-overview")
        await self._go("Network")
        await page.get_by_role("link", name="Leases").click()
        await expect(page.locator('tr[id^="lease-"]')).to_contain_text(self.facts.machine["macs"][0])
        await self.desk.picture("27-leases", dark=False)
        await self._go("Events")
        await expect(page.locator("ol.timeline li").first).to_be_visible()
        await self.desk.picture("28-events")
        await page.locator("#tasks summary").click()
        await page.get_by_role("link", name="All tasks").click()
        await expect(page.locator('tr[id^="task-row-"]')).to_have_count(5)
        await self.desk.picture("29-tasks")
        await self.wall.picture("30-machines")
        await self._remember()

    async def _remember(self) -> None:
        facts, key = self.facts, self.facts.machine["id"]
        facts.machine = await self._api.get(f"/machines/{key}")
        facts.timeline = await self._api.pages(f"/machines/{key}/timeline")
        facts.tasks = await self._api.items("/tasks")
        facts.tabs, facts.end = self._browser.tabs, time.time()
        facts.true = truths(facts.timeline, facts.machine["created"], facts.end)


async def _ext4(path: Path) -> None:
    """Somebody's data."""
    make = await asyncio.create_subprocess_exec("mke2fs", "-q", "-t", "ext4", "-F", str(path), "64M")
    assert await make.wait() == 0


async def click_through(base: Path) -> Facts:
    """Tell the story in a new lab below ``base``."""
    daemon = (await build()).plan()
    with listen(None) as web:
        lab = Lab(LabPlan((plan_machine(0, "bios", disks=2),), daemon=daemon), web=web, base=base)
        port = web.getsockname()[1]
        async with (
            lab,
            connect(port, lab.directory.daemon_state / "ca.pem") as api,
            sit_down(f"https://127.0.0.1:{port}") as desk,
        ):
            await _ext4(lab.directory.path / lab.machines[0].plan.disks[1].file)
            clicker = Clicker(lab, api, desk)
            try:
                await clicker.tell()
            except (ApplianceError, TimeoutError, AssertionError, Error) as error:
                error.add_note(await clicker.circumstances())
                raise
            return clicker.facts
