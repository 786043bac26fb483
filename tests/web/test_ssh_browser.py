"""SSH to the appliance itself in a real browser: a key is let in and let in no more, and the page breaks no rule."""

from pathlib import Path

import pytest
from axe import AXE, told, violations
from browsing import ON_ONE_LOOP, new_tab, serving_on_one_loop
from playwright.async_api import Browser, expect

from appliance.privileged import ssh
from tests.privileged.paper_computer import computer, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120), ON_ONE_LOOP]
PAGE = "/settings/ssh"
ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuTLVbhy3jUWqeSsBzZxTHfDGDCvGhsJZbgbCmCDyGE ada@laptop"


async def test_a_key_comes_and_goes(browser: Browser, tmp_path: Path) -> None:
    on, _ = computer(tmp_path / "paper", {"systemctl": "", "systemctl show": "active", "wall": ""})
    (tmp_path / "state").mkdir()
    wrong: list[str] = []
    async with (
        serving(tmp_path, on) as privileged,
        serving_on_one_loop(tmp_path / "state", fleet=False, privileged=privileged) as console,
        new_tab(browser, console, reduced_motion="reduce") as tab,
    ):
        page = tab.page
        await page.add_init_script(path=AXE)
        await tab.go(PAGE)
        wrong += told("off", await violations(tab))
        await page.get_by_label("Public keys", exact=True).fill("nonsense")
        await page.get_by_role("button", name="Let in as root").click()
        await expect(page.locator("#keys-error")).to_contain_text("is not an SSH public key")
        wrong += told("refused", await violations(tab))
        await page.get_by_label("Public keys", exact=True).fill(ADA)
        await page.get_by_role("button", name="Let in as root").click()
        await expect(page.get_by_role("row").filter(has_text="ada@laptop")).to_be_visible()
        assert (on.roots.state / ssh.KEYS).exists()
        wrong += told("on", await violations(tab))
        await page.get_by_role("link", name="Remove the key of ada@laptop").click()
        wrong += told("remove", await violations(tab))
        await page.get_by_role("button", name="Remove ada@laptop and switch SSH off").click()
        await expect(page.locator("main")).to_contain_text("off: nobody can log in")
        assert not (on.roots.state / ssh.KEYS).exists()
    assert wrong == []
