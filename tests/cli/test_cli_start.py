"""``qrm`` starts fast, and its table of commands leads somewhere."""

import subprocess
import sys

import pytest

from appliance.cli.main import COMMANDS, cli

HEAVY = {"aiohttp", "asyncio", "rich", "cryptography", "aiosqlite", "msgspec", "uvloop", "jinja2", "scapy", "tftpy"}


@pytest.mark.parametrize("command", ["machines", "images", "kernels", "deployments", "events", "login", "probe"])
def test_nothing_heavy_is_imported(command: str) -> None:
    module = COMMANDS[command][0].partition(":")[0]
    program = f"import sys, appliance.cli.main, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_there(command: str) -> None:
    found = cli.get_command(None, command)  # type: ignore[arg-type]
    assert found is not None
    assert found.name == command
