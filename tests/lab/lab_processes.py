"""Running ``qrm lab`` as a program of its own, and seeing what is left of it."""

import asyncio
import fcntl
import json
import os
import pwd
import signal
import sys
import sysconfig
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
MAIN = "import sys; from appliance.cli.main import main; sys.argv[1:1] = ['lab']; sys.exit(main())"
WAIT_SECONDS = 60
OWN_TUN = 'mount -t tmpfs -o mode=755 tun /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"'


def environment(base: Path) -> dict[str, str]:
    """An environment in which labs live below ``base``, for any user and any interpreter of this version."""
    path = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    return {**os.environ, "TMPDIR": str(base), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


async def start_lab(base: Path, *arguments: str, before: Sequence[str] = (), python: str = sys.executable) -> Process:
    """``qrm lab --no-daemon ARGUMENTS``, with the words of ``before`` put in front of the command."""
    return await _start(base, [*before, python, "-c", MAIN, "--no-daemon", *arguments])


async def start_check(base: Path, *arguments: str) -> Process:
    """``qrm lab --check ARGUMENTS``."""
    return await _start(base, [sys.executable, "-c", MAIN, "--check", *arguments])


async def _start(base: Path, argv: Sequence[str]) -> Process:
    return await asyncio.create_subprocess_exec(
        *argv, env=environment(base), stdout=PIPE, stderr=PIPE, preexec_fn=_hears_ctrl_c
    )


def _hears_ctrl_c() -> None:
    """Whoever runs the tests in the background has them, and all they start, ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_locked(lock: Path) -> bool:
    """Whether a process still holds the lock of a lab: the kernel lets go of it last of all."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def ordinary() -> tuple[list[str], str]:
    """Words that make the command run as an ordinary user, and an interpreter which that user may run.

    An installed Debian lets everybody open /dev/net/tun; where nobody has arranged that, the command gets its own.
    """
    if os.getuid() != 0:
        return [], sys.executable
    nobody = pwd.getpwnam("nobody")
    user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    is_open = os.stat("/dev/net/tun").st_mode & 0o006 == 0o006
    own = [] if is_open else ["unshare", "--mount", "sh", "-c", OWN_TUN, "sh"]
    return [*own, *user], "/usr/bin/python3"


def labs(base: Path) -> list[dict[str, Any]]:
    """The cards of the labs below ``base``, with the directory of each under ``path``."""
    return [{"path": card.parent, **json.loads(card.read_bytes())} for card in base.glob("*/*/lab.json")]


def of_lab(base: Path) -> list[psutil.Process]:
    """Every living process whose command line names ``base``, zombies left out."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(base) in word for word in words):
            found.append(process)
    return found


async def until(condition: Callable[[], Any]) -> Any:
    """What ``condition`` returns once it is true."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not (value := condition()):
            await asyncio.sleep(0.05)
    return value
