"""The real ``qrm`` of somebody at a desk, logged in to an appliance."""

import sys
from dataclasses import dataclass
from pathlib import Path

from appliance_world import PASSWORD, USER, Appliance

from appliance.lab.process import Finished, run

SECONDS = 600


@dataclass
class Remote:
    """What is kept of the log-in is in ``home``."""

    home: Path

    async def log_in(self, appliance: Appliance, password: str = PASSWORD) -> None:
        """Trusting the authority whose fingerprint the screen shows."""
        authority = str(await appliance.authority())
        url = f"https://127.0.0.1:{appliance.port}"
        await self.does("login", url, "--user", USER, "--ca", authority, stdin=f"{password}\n")

    async def does(self, *arguments: str, stdin: str = "", seconds: float = SECONDS) -> str:
        """What a command that ends well prints."""
        finished = await self.tries(*arguments, stdin=stdin, seconds=seconds)
        assert finished.status == 0, f"qrm {' '.join(arguments)}: {finished.stdout}{finished.stderr}"
        return finished.stdout

    async def tries(self, *arguments: str, stdin: str = "", seconds: float = SECONDS) -> Finished:
        """What a command comes to."""
        self.home.mkdir(exist_ok=True)
        kept = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home), "XDG_STATE_HOME": str(self.home)}
        words = ["env", *(f"{name}={value}" for name, value in kept.items()), sys.executable, "-m", "appliance"]
        return await run([*words, *arguments], stdin=stdin, seconds=seconds)
