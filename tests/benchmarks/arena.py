"""Two networks joined by one cable, for one server at a time and those who ask it.

Servers run in the one, as 10.77.0.1/16 on br0; clients in the other, as 10.77.0.2/16 on eth0. Both sides are pinned:
the server to the first core, who asks to the others, so that each server has the same.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ApplianceError

REPOSITORY = Path(__file__).parent.parent.parent
SERVER = "10.77.0.1"
CLIENT = "10.77.0.2"
PREFIX = 16
_SERVER_SIDE = f"""
ip link set lo up
ip link add br0 address 52:54:00:00:00:fe type bridge
ip link add cable0 type veth peer name eth0
ip link set cable0 master br0
ip link set cable0 up
ip address add {SERVER}/{PREFIX} dev br0
ip link set br0 up
echo made
exec cat
"""
_CLIENT_SIDE = "ip link set lo up; echo made; exec cat"
_STOP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Arena:
    """Command lines that run a program on either side."""

    server_pid: int
    client_pid: int

    def beside_server(self, *argv: str) -> list[str]:
        """Where the servers are."""
        return ["taskset", "--cpu-list", "0", *_enter(self.server_pid), *argv]

    def as_client(self, *argv: str) -> list[str]:
        """Where those are who ask."""
        return ["taskset", "--cpu-list", _other_cores(), *_enter(self.client_pid), *argv]

    async def behind_one(self, network: str) -> None:
        """Have the server's kernel reach a network through the one address of the clients.

        Its table of neighbours is one for all networks of this computer, and has room for 1,024 where nobody has set
        it otherwise (`systemd/appliance.sysctl.conf`).
        """
        said = self.beside_server("ip", "route", "add", network, "via", CLIENT)
        if await _quietly(said) != 0:
            raise ApplianceError("bench-network", f"{network} cannot be reached through {CLIENT}")

    async def ask(self, *argv: str, codes: Sequence[int] = (0,)) -> str:
        """Standard output of a client; raises ApplianceError where it ends with another code than `codes`."""
        process = await asyncio.create_subprocess_exec(
            *self.as_client(*argv), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        said, wrong = await process.communicate()
        if process.returncode not in codes:
            words = (wrong or said).decode(errors="replace")[-2000:]
            raise ApplianceError("bench-client", f"{argv[0]} ended with {process.returncode}: {words}")
        return said.decode(errors="replace")

    @asynccontextmanager
    async def serving(self, *argv: str, ready: Sequence[str]) -> AsyncIterator[int]:
        """A server, from the moment when the client command `ready` succeeds to the end of the block; its pid."""
        process = await asyncio.create_subprocess_exec(
            *self.beside_server(*argv), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            await self._until_ready(process, ready)
            yield process.pid
        finally:
            await _end(process)

    async def _until_ready(self, process: asyncio.subprocess.Process, ready: Sequence[str]) -> None:
        async with asyncio.timeout(60):
            while await _quietly(self.as_client(*ready)) != 0:
                if process.returncode is not None:
                    assert process.stderr is not None
                    words = (await process.stderr.read()).decode(errors="replace")[-2000:]
                    raise ApplianceError("bench-server", f"a server ended with {process.returncode}: {words}")
                await asyncio.sleep(0.2)  # between two questions to a server that is starting


def _enter(pid: int) -> list[str]:
    where = ["--target", str(pid), "--user", "--net", "--mount", f"--wd={REPOSITORY}"]
    return ["nsenter", *where, "--preserve-credentials"]


def _other_cores() -> str:
    count = os.cpu_count() or 1
    return "0" if count == 1 else f"1-{count - 1}"


async def _quietly(argv: Sequence[str]) -> int:
    """The exit code of a program whose words nobody wants."""
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, stdin=null, stdout=null, stderr=null)
    return await process.wait()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.communicate()  # its words are read, so that it cannot hang on them
    except TimeoutError:
        process.kill()
        await process.wait()


@contextmanager
def arena() -> Iterator[Arena]:
    """Both networks, for the length of the block; no privilege is needed."""
    own = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-e", "-c", _SERVER_SIDE]
    with (
        _keeper(own) as server,
        _keeper([*_enter(server), "unshare", "--net", "sh", "-e", "-c", _CLIENT_SIDE]) as client,
    ):
        made = Arena(server, client)
        for argv in (
            made.beside_server("ip", "link", "set", "eth0", "netns", str(client)),
            made.as_client("ip", "address", "add", f"{CLIENT}/{PREFIX}", "dev", "eth0"),
            made.as_client("ip", "link", "set", "eth0", "up"),
        ):
            subprocess.run(argv, check=True, timeout=20)
        yield made


@contextmanager
def _keeper(argv: Sequence[str]) -> Iterator[int]:
    """A process that holds a namespace open; its pid."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "made\n":
                raise ApplianceError("bench-network", "the network of the benchmark could not be made")
            yield process.pid
        finally:
            process.stdin.close()
