"""``PYTHONPATH=. python tests/web/console_look.py DIRECTORY [PATH ...]``: pages as pictures, in both schemes."""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from console_server import PASSWORD, console
from playwright.async_api import Browser, async_playwright
from test_console_pages import PAGES

WIDTHS = {"wide": (1280, 800), "phone": (400, 860)}
SCHEMES = ("light", "dark")


async def look(browser: Browser, url: str, paths: list[str], target: Path) -> None:
    """Take the pictures; their names say path, width and scheme."""
    for width, (x, y) in WIDTHS.items():
        for scheme in SCHEMES:
            context = await browser.new_context(
                ignore_https_errors=True, viewport={"width": x, "height": y}, color_scheme=scheme
            )
            page = await context.new_page()
            await page.goto(f"{url}/login")
            await page.fill("#name", "admin")
            await page.fill("#password", PASSWORD)
            await page.click("text=Log in >> nth=-1")
            for path in paths:
                await page.goto(url + path)
                await page.wait_for_load_state("networkidle")
                name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "overview"
                await page.screenshot(path=target / f"{name}.{width}.{scheme}.png")
            await context.close()


async def _main() -> None:
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    paths = sys.argv[2:] or list(PAGES)
    with tempfile.TemporaryDirectory(prefix="console-") as directory:
        async with console(Path(directory)) as serving, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            await look(browser, serving.url, paths, target)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(_main())
