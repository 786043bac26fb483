"""``qrm`` starts fast, and its table of commands leads somewhere."""

import subprocess
import sys
import time

import pytest
from cli_world import Cli

from appliance.cli.main import COMMANDS, cli

HEAVY = {"aiohttp", "asyncio", "rich", "cryptography", "sqlite3", "msgspec", "uvloop", "jinja2", "scapy", "tftpy"}

WORK_ON_THE_APPLIANCE = {"state", "lab", "seed", "slot"}


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - WORK_ON_THE_APPLIANCE))
def test_nothing_heavy_is_imported(command: str) -> None:
    module = COMMANDS[command][0].partition(":")[0]
    program = f"import sys, appliance.cli.main, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_there(command: str) -> None:
    found = cli.get_command(None, command)
    assert found is not None
    assert found.name == command


async def test_a_common_command_imports_nothing_of_the_daemon(qrm: Cli) -> None:
    """From its start to its end, with a log-in and an answer of an appliance; nothing is drawn without rows."""
    listed = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    program = f"{listed}; sys.argv = ['qrm', *sys.argv[1:]]; from appliance.cli.main import main; sys.exit(main())"
    for words in (["machines"], ["machines", "--json"], ["deployments", "--help"], ["tasks", "--open"]):
        process = await qrm.start_program("-c", program, *words)
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        assert out
        loaded = {name.partition(".")[0] for name in err.decode().split()}
        assert not HEAVY & loaded
        assert not {"sqlite3", "_sqlite3", "argon2", "multidict"} & loaded


async def test_the_help_comes_at_once(qrm: Cli) -> None:
    took = []
    for _ in range(3):
        began = time.monotonic()
        assert "Exit codes" in (await qrm.run("--help")).out
        took.append(time.monotonic() - began)
    assert min(took) < 0.5, took
