"""A computer of paper: roots in a directory, programs that answer what a test says and write down that they ran."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.errors import ApplianceError
from appliance.privileged.client import Privileged
from appliance.privileged.computer import Computer, Roots
from appliance.privileged.server import Server
from appliance.privileged.table import TABLE, Row

ME = frozenset({os.getuid()})
Answers = dict[str, str | ApplianceError | Callable[[Sequence[str]], str]]


@dataclass
class Programs:
    """What each program says, by the beginning of its command line; one that is not here is not installed."""

    answers: Answers = field(default_factory=dict)
    ran: list[list[str]] = field(default_factory=list)

    async def __call__(self, argv: Sequence[str], /, seconds: float = 30.0) -> str:
        """Run one."""
        line = " ".join(argv)
        self.ran.append(list(argv))
        found = max((each for each in self.answers if line.startswith(each)), key=len, default=None)
        if found is None:
            raise ApplianceError("program-missing", f"{argv[0]} is not installed")
        answer = self.answers[found]
        if isinstance(answer, ApplianceError):
            raise answer
        return answer(argv) if callable(answer) else answer


def computer(directory: Path, answers: Answers | None = None) -> tuple[Computer, Programs]:
    """A computer whose directories are below ``directory``."""
    programs = Programs(answers or {})
    return Computer(Roots.below(directory), programs), programs


def quiet(progress: float | None, message: str = "") -> None:
    """Where nobody wants to know how far a verb is."""


@asynccontextmanager
async def serving(
    directory: Path, on: Computer, table: dict[str, Row] | None = None, users: frozenset[int] = ME
) -> AsyncIterator[Privileged]:
    """A client of a server that runs meanwhile."""
    path = directory / "helper.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.setblocking(False)
        server = Server(on, users, TABLE if table is None else table)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(listening))
            try:
                yield Privileged(path)
            finally:
                server.stop()


async def raw(path: Path, said: bytes, close: bool = False) -> bytes:
    """Send bytes as they are; all that comes back."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(said)
    await writer.drain()
    if close:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


Json = dict[str, Any]
