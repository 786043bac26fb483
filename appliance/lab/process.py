"""Running programs for the lab: the only place here that starts a process."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from appliance.errors import ApplianceError


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended. Output is decoded leniently: it is shown, not trusted."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    def check(self, doing: str) -> "Finished":
        """Itself after success; raises ``lab-command`` with what it said otherwise."""
        if self.status == 0:
            return self
        said = (self.stderr.strip() or self.stdout.strip() or "it said nothing")[-2000:]
        raise ApplianceError("lab-command", f"{doing}: {self.argv[0]} ended with status {self.status}: {said}")


async def run(argv: Sequence[str], *, stdin: str = "", seconds: float = 60) -> Finished:
    """Run to the end and collect the output; one that takes over ``seconds`` is killed, TimeoutError raised."""
    process = await asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(seconds):
            stdout, stderr = await process.communicate(stdin.encode())
    finally:
        await end(process)
    status = process.returncode if process.returncode is not None else -1
    return Finished(tuple(argv), status, stdout.decode(errors="replace"), stderr.decode(errors="replace"))


async def start(
    argv: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    own_session: bool = False,
    talk: bool = False,
) -> Process:
    """Start a lasting program whose output is added to ``log``; the caller waits for it and ends it.

    ``environment`` is added to ours. With ``talk`` its standard input and output are pipes to the caller and
    only standard error goes to the log.
    """
    with _append(log) as file:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=PIPE if talk else DEVNULL,
            stdout=PIPE if talk else file,
            stderr=file,
            env={**os.environ, **(environment or {})},
            pass_fds=tuple(pass_fds),
            start_new_session=own_session,
        )


def _append(path: Path) -> BinaryIO:
    return path.open("ab")


async def end(process: Process, *, grace: float = 0) -> None:
    """Make sure that ``process`` is gone: asked to end with ``grace`` seconds to obey, then killed."""
    if process.returncode is not None:
        return
    try:
        if grace > 0:
            process.terminate()
            async with asyncio.timeout(grace):
                await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def capture(argv: Sequence[str]) -> Finished:
    """Run to the end with standard error shown to the user, and collect standard output."""
    process = await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=PIPE)
    try:
        stdout, _ = await process.communicate()
    finally:
        await end(process, grace=10)
    status = process.returncode if process.returncode is not None else -1
    return Finished(tuple(argv), status, stdout.decode(errors="replace"), "")
