"""Our daemon in an arena, as the configuration of a user has it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.benchmarks.arena import SERVER, Arena

CONFIGURATION = """
[site]
state_dir = "{directory}/state"
[[subnet]]
interface = "br0"
ranges = ["{addresses}"]
other_servers = "ignore"
[boot]
stack = "{directory}/stack"
programs = "{directory}/programs"
[web]
listen = ["127.0.0.1:8443"]
"""
READY = ("curl", "--silent", "--output", "/dev/null", f"http://{SERVER}/ca.pem")


@asynccontextmanager
async def our_daemon(
    where: Arena, directory: Path, addresses: str, files: dict[str, bytes] | None = None
) -> AsyncIterator[int]:
    """The daemon, serving `addresses` and, beside nothing else, the boot `files`; its pid."""
    for name, content in {"stack/vmlinuz": b"a kernel", "stack/initrd": b"an initrd", **(files or {})}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    (directory / "programs").mkdir(exist_ok=True)
    configuration = directory / "appliance.toml"
    configuration.write_text(CONFIGURATION.format(directory=directory, addresses=addresses))
    argv = [str(Path(sys.executable).with_name("qrm")), "serve", "--config", str(configuration)]
    async with where.serving(*argv, ready=READY) as pid:
        yield pid
