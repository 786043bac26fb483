"""The Tab key, in a real bash with the script that ``qrm completion bash`` prints."""

import asyncio
import resource
import sys
from pathlib import Path

import pytest
from cli_world import Cli

from appliance.cli.completion import harmless
from appliance.machine import State
from appliance.reconcile.wishes import MachineChange, NewDeployment
from tests.people import ADMIN


@pytest.mark.parametrize("word", ["$(id)", "a b", "a;id", "\x1b[2J", "x\u202e", "`id`", "a'b", "a\nb"])
def test_words_that_would_do_something_are_not_offered(word: str) -> None:
    assert not harmless(word)
    assert harmless("52:54:00:12:34:56")
    assert harmless("node-1")


async def tab(qrm: Cli, *words: str) -> list[str]:
    """What bash offers for the last of the words; nothing may be said on its terminal."""
    program = qrm.config.parent / "bin" / "qrm"
    if not program.exists():
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m appliance "$@"\n')
        program.chmod(0o755)
        script = (await qrm.run("completion", "bash")).out
        (qrm.config.parent / "completion.bash").write_text(script)
    line = f"""
        export PATH="{program.parent}:$PATH"
        source "{qrm.config.parent}/completion.bash"
        COMP_WORDS=(qrm "$@") COMP_CWORD=$#
        _qrm_completion qrm "${{COMP_WORDS[$COMP_CWORD]}}" ""
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    pipe = asyncio.subprocess.PIPE
    command = ("bash", "--norc", "-c", line, "bash", *words)
    process = await asyncio.create_subprocess_exec(*command, env=qrm.environment, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert err == b""
    return out.decode().split()


async def _fleet(qrm: Cli) -> None:
    for number in (1, 2, 3):
        await qrm.world.machine(number, State.IDLE)
    await qrm.world.services.wishes.change_machine("m1", MachineChange(tags=["rack-3"]), ADMIN)


async def test_commands_and_options(qrm: Cli) -> None:
    assert {"machines", "deployments", "login"} <= set(await tab(qrm, ""))
    assert await tab(qrm, "mach") == ["machines"]
    assert {"list", "show", "rescue", "summary"} <= set(await tab(qrm, "machines", ""))
    assert await tab(qrm, "machines", "--maint") == ["--maintenance"]
    assert await tab(qrm, "machines", "set", "node-1", "--hand-over", "") == ["kexec", "reboot"]
    assert await tab(qrm, "machines", "--state", "di") == ["discovered"]
    assert await tab(qrm, "completion", "") == ["bash", "zsh", "fish"]


async def test_names_come_from_the_appliance(qrm: Cli, tmp_path: Path) -> None:
    await _fleet(qrm)
    (tmp_path / "demo.raw").write_bytes(b"\0" * 4096)
    await qrm.run("images", "add", str(tmp_path / "demo.raw"))
    await qrm.world.services.wishes.create_deployment(NewDeployment("web-1", "demo"), ADMIN)
    assert await tab(qrm, "machines", "show", "") == ["node-1", "node-2", "node-3"]
    assert await tab(qrm, "machines", "show", "node-2") == ["node-2"]
    assert await tab(qrm, "machines", "set", "node-1", "node-") == ["node-1", "node-2", "node-3"]
    assert await tab(qrm, "machines", "--tag", "r") == ["rack-3"]
    assert await tab(qrm, "deployments", "start", "w") == ["web-1"]
    assert await tab(qrm, "deployments", "create", "x", "--image", "") == ["demo"]
    assert await tab(qrm, "images", "delete", "") == ["demo"]
    await qrm.run("deployments", "start", "web-1")
    assert await tab(qrm, "tasks", "cancel", "") == ["2"]
    assert await tab(qrm, "users", "show", "") == ["admin"]
    assert "machine.new" in await tab(qrm, "events", "--kind", "machine.")


async def test_who_is_not_logged_in_sees_no_error(stranger: Cli) -> None:
    assert await tab(stranger, "machines", "show", "") == []
    assert "show" in await tab(stranger, "machines", "")
    (stranger.config / "qrm").mkdir(parents=True)
    (stranger.config / "qrm" / "credentials.json").write_text("{broken")
    assert await tab(stranger, "machines", "show", "") == []


async def test_an_appliance_that_is_away_is_no_error(qrm: Cli) -> None:
    kept = qrm.config / "qrm" / "credentials.json"
    kept.write_text(kept.read_text().replace(qrm.url, "https://127.0.0.1:1"))
    assert await tab(qrm, "machines", "show", "") == []
    assert await tab(qrm, "--server", "no address", "machines", "show", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_every_shell_has_its_script(stranger: Cli, shell: str) -> None:
    assert "_QRM_COMPLETE" in (await stranger.run("completion", shell)).out


async def test_it_is_fast(qrm: Cli) -> None:
    """Half a second is what people notice: of the processor, since other tests run beside this one."""
    await _fleet(qrm)
    await tab(qrm, "machines", "show", "")
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert len(await tab(qrm, "machines", "show", "")) == 3
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert 0 < min(took) < 0.5, took
