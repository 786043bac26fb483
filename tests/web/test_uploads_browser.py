"""Uploading images and kernels in a real browser: piece by piece, over a line that is lost, in a later visit."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from browsing import ON_ONE_LOOP, WIDER, Tab, new_tab, serving_on_one_loop
from playwright.async_api import Browser, Route, expect

sys.path.append(str(Path(__file__).parent.parent / "reconcile"))
from kernel_images import bzimage, tar

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120), ON_ONE_LOOP]
PIECES = "**/uploads/**/*"


@asynccontextmanager
async def open_tab(browser: Browser, directory: Path, path: str) -> AsyncIterator[Tab]:
    directory.mkdir()
    async with serving_on_one_loop(directory, fleet=False) as console, new_tab(browser, console) as tab:
        await tab.page.goto(console.url + path)
        yield tab


def a_file(directory: Path) -> Path:
    file = directory / "disk.raw"
    file.write_bytes(os.urandom(18_000 * 512))
    return file


async def upload(tab: Tab, name: str, **files: Path) -> None:
    await tab.page.fill("#name", name)
    for field, file in files.items():
        await tab.page.set_input_files(f"#{field}", file)
    await tab.page.get_by_role("button", name="Upload", exact=True).click()


async def test_a_lost_line_is_gone_on_with(browser: Browser, tmp_path: Path) -> None:
    file, pieces = a_file(tmp_path), list[str]()

    async def cut_second(route: Route) -> None:
        if place := route.request.headers.get("content-range"):
            pieces.append(place)
        await (route.abort("connectionreset") if len(pieces) == 2 and place else route.continue_())

    async with open_tab(browser, tmp_path / "state", "/images/new") as tab:
        await tab.page.route(PIECES, cut_second)
        await upload(tab, "web", file=file)
        await expect(tab.page.locator("h1")).to_have_text("web", timeout=60_000)
        assert (tmp_path / "state/images/1").read_bytes() == file.read_bytes()
    assert len(pieces) == 3
    assert pieces[1] == pieces[2], "the lost one is sent once more, and nothing else"


async def test_a_later_visit_goes_on_and_another_file_is_refused(browser: Browser, tmp_path: Path) -> None:
    file, pieces = a_file(tmp_path), list[str]()

    async def cut(route: Route) -> None:
        if place := route.request.headers.get("content-range"):
            pieces.append(place)
        await (route.abort("connectionreset") if len(pieces) > 1 and place else route.continue_())

    async with open_tab(browser, tmp_path / "state", "/images/new") as tab:
        await tab.page.route(PIECES, cut)
        await upload(tab, "web", file=file)
        await expect(tab.page.locator("[data-upload-note]")).to_contain_text("The line was lost", timeout=60_000)
        await tab.page.unroute(PIECES)
        await tab.page.goto(tab.console.url + "/images")
        await expect(tab.page.locator("#arriving-web")).to_contain_text("8.4 MB of 9.2 MB, by admin")
        other = tmp_path / "other.raw"
        other.write_bytes(b"x" * 1024)
        await tab.page.goto(tab.console.url + "/images/new")
        await upload(tab, "web", file=other)
        await expect(tab.page.locator("[data-upload-error]")).to_contain_text("Another file is half uploaded")
        await upload(tab, "web", file=file)
        await expect(tab.page.locator("h1")).to_have_text("web", timeout=60_000)
        assert (tmp_path / "state/images/1").read_bytes() == file.read_bytes()


async def test_an_iso_is_gone_on_with_renamed_and_deleted(browser: Browser, tmp_path: Path) -> None:
    """A disc that another program made, over a line that is lost once."""
    root, file, pieces = tmp_path / "root", tmp_path / "debian-13.iso", list[str]()
    root.mkdir()
    (root / "boot.img").write_bytes(bytes(2048))
    (root / "install").write_bytes(os.urandom(9 << 20))
    boots = ["-b", "boot.img", "-c", "boot.cat", "-no-emul-boot"]
    made = ["xorriso", "-as", "mkisofs", "-quiet", "-V", "DEBIAN 13", *boots, "-o", str(file), str(root)]
    await asyncio.to_thread(subprocess.run, made, check=True, capture_output=True)

    async def cut_second(route: Route) -> None:
        if place := route.request.headers.get("content-range"):
            pieces.append(place)
        await (route.abort("connectionreset") if len(pieces) == 2 and place else route.continue_())

    async with open_tab(browser, tmp_path / "state", "/isos/new") as tab:
        await tab.page.route(PIECES, cut_second)
        await upload(tab, "debian", file=file)
        await expect(tab.page.locator("h1")).to_have_text("debian", timeout=60_000)
        await expect(tab.page.locator("main")).to_contain_text("DEBIAN 13")
        await expect(tab.page.locator("main")).to_contain_text("BIOS")
        assert pieces[1] == pieces[2], "the lost one is sent once more"
        (kept,) = (tmp_path / "state/isos").glob("*.iso")
        assert kept.read_bytes() == file.read_bytes()
        await tab.page.get_by_role("link", name="Edit").click()
        await tab.page.fill("#name", "trixie")
        await tab.page.get_by_role("button", name="Save").click()
        await expect(tab.page.locator("h1")).to_have_text("trixie")
        await tab.page.get_by_role("link", name="Delete").click()
        await tab.page.fill("#typed", "trixie")
        await tab.page.get_by_role("button", name="Delete trixie").click()
        await expect(tab.page.locator("main")).to_contain_text("No ISO yet")
        assert not kept.exists()


@pytest.mark.parametrize("status", [401, 404])
async def test_who_may_not_see_the_task_any_more_is_led_to_it(browser: Browser, tmp_path: Path, status: int) -> None:
    """The session has ended, or the task is forgotten: to ask again would change nothing."""
    asked = list[str]()

    async def refuse(route: Route) -> None:
        asked.append(route.request.url)
        if status == 401:
            await tab.page.context.clear_cookies()
        await route.fulfill(status=status, content_type="application/problem+json", body="{}")

    async with open_tab(browser, tmp_path / "state", "/images/new") as tab:
        await tab.page.route("**/api/v1/tasks/*", refuse)
        await upload(tab, "web", file=a_file(tmp_path))
        where = "/login?next=%2Ftasks%2F1" if status == 401 else "/tasks/1"
        await expect(tab.page).to_have_url(tab.console.url + where, timeout=60_000)
    assert len(asked) == 1


async def test_a_kernel_comes_with_its_initrd_and_what_is_none_is_said(browser: Browser, tmp_path: Path) -> None:
    initrd, vmlinuz = a_file(tmp_path), tmp_path / "vmlinuz"
    vmlinuz.write_bytes(b"#!/bin/sh")
    async with open_tab(browser, tmp_path / "state", "/kernels/new") as tab:
        await upload(tab, "six", vmlinuz=vmlinuz, initrd=initrd)
        await expect(tab.page.locator("[data-upload-error]")).to_contain_text("no Linux kernel", timeout=60_000)
        vmlinuz.write_bytes(bytes(0x202) + b"HdrS" + bytes(1000))
        await upload(tab, "six", vmlinuz=vmlinuz)
        await expect(tab.page.locator("tbody tr", has_text="six")).to_contain_text("just now", timeout=60_000)
        assert (tmp_path / "state/kernels/1.vmlinuz").read_bytes() == vmlinuz.read_bytes()
        assert (tmp_path / "state/kernels/1.initrd").read_bytes() == initrd.read_bytes()


async def test_a_kernel_is_given_its_modules_on_their_page(browser: Browser, tmp_path: Path) -> None:
    vmlinuz, modules = tmp_path / "vmlinuz", tmp_path / "modules.tar"
    vmlinuz.write_bytes(bzimage())
    modules.write_bytes(b"no archive" * 100)
    async with open_tab(browser, tmp_path / "state", "/kernels/new") as tab:
        await upload(tab, "six", vmlinuz=vmlinuz)
        await tab.page.get_by_role("link", name="Give six its modules").click(timeout=60_000)
        await tab.page.set_input_files("#file", modules)
        await tab.page.get_by_role("button", name="Upload", exact=True).click()
        await expect(tab.page.locator("[data-upload-error]")).to_contain_text("neither a tar archive", timeout=60_000)
        assert await tab.page.evaluate(WIDER) <= 0
        modules.write_bytes(tar())
        await tab.page.set_input_files("#file", modules)
        await tab.page.get_by_role("button", name="Upload", exact=True).click()
        await expect(tab.page.locator("tbody tr", has_text="six")).to_contain_text("yes", timeout=60_000)
        assert (tmp_path / "state/kernels/1.modules").stat().st_size
