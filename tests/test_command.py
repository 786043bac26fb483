"""Programs that end well, badly, never, or are not there."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from appliance.command import first_bytes, heard, run, said
from appliance.errors import ApplianceError

FLOOD = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
FAILS = "import sys; sys.stdout.write('part'); sys.exit('no good')"
HANGS = "import time; time.sleep(600)"


def python(source):
    return [sys.executable, "-c", source]


def test_what_a_program_says():
    assert run(python("print('hello')")) == "hello\n"
    assert first_bytes(python("print('hello')"), 100) == b"hello\n"


def test_a_program_that_says_more_is_ended():
    assert first_bytes(python(FLOOD), 100_000) == b"x" * 100_000


def test_what_was_said_before_a_failure_counts_when_it_is_enough():
    assert first_bytes(python(FAILS), 4) == b"part"


@pytest.mark.parametrize("call", [run, lambda argv, **more: first_bytes(argv, 100, **more)])
def test_failures_say_why(call):
    for argv, seconds, code, words in (
        (python(FAILS), 30.0, "program-failed", "no good"),
        (python(HANGS), 0.2, "program-stuck", "no end after"),
        (["no-such-program-of-ours"], 30.0, "program-missing", "is not installed"),
    ):
        with pytest.raises(ApplianceError, match=words) as caught:
            call(argv, seconds=seconds)
        assert caught.value.code == code


async def test_a_program_that_the_loop_waits_for():
    reads = "import os, sys; print(os.environ['WORD'], repr(sys.stdin.read()))"
    assert await said(python(reads), {"WORD": "a"}) == "a ''\n"


async def test_failures_of_a_program_that_the_loop_waits_for():
    for argv, seconds, code, words in (
        (python(FAILS), 30.0, "program-failed", "no good"),
        (python(HANGS), 0.2, "program-stuck", "no end after"),
        (python(FLOOD.replace("True", "False") + "\nimport sys; sys.exit(3)"), 30.0, "program-failed", "exit code 3"),
        (["no-such-program-of-ours"], 30.0, "program-missing", "is not installed"),
    ):
        with pytest.raises(ApplianceError, match=words) as caught:
            await said(argv, {}, seconds=seconds)
        assert caught.value.code == code


PARENT = """
import os, sys, time
child = os.fork()
if child:
    open(sys.argv[1], "w").write(f"{os.getpid()} {child} .")
time.sleep(600)
"""


async def test_nothing_of_a_program_outlives_who_waited_for_it(tmp_path):
    """What it started ends with it: an ssh behind a virsh, for one."""
    pids = tmp_path / "pids"
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(said([*python(PARENT), str(pids)], {}))
        while not (pids.exists() and pids.read_text().endswith(".")):
            await asyncio.sleep(0.01)
        waiting.cancel()
    while any(alive(int(pid)) for pid in pids.read_text().split()[:2]):
        await asyncio.sleep(0.01)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def test_each_line_is_heard_when_it_is_said():
    says = "import os, sys, time; print(os.environ['WORD'], flush=True); time.sleep(600)"
    lines, told = [], asyncio.Event()

    def hears(line):
        lines.append(line)
        told.set()

    waiting = asyncio.get_running_loop().create_task(heard(python(says), {"WORD": "a"}, hears))
    await asyncio.wait_for(told.wait(), 20)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert lines == ["a"]


async def test_failures_of_a_program_that_is_heard():
    for argv, seconds, code, words in (
        (python(FAILS), 30.0, "program-failed", "part"),
        (python(HANGS), 0.2, "program-stuck", "no end after"),
        (["no-such-program-of-ours"], 30.0, "program-missing", "is not installed"),
    ):
        with pytest.raises(ApplianceError, match=words) as caught:
            await heard(argv, {}, print, seconds=seconds)
        assert caught.value.code == code
