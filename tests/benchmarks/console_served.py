"""A console behind our proxy, behind websockify, or alone, for ``console_proxy``: until standard input ends.

The source is a process of its own; what is measured is this one.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from multiprocessing import Process
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvloop
from aiohttp import web

from appliance import certificates, server_tls
from appliance.accounts import Asker, Role
from appliance.hypervisor.consoles import ConsoleKind
from appliance.vm import VmId
from appliance.web import console_door
from appliance.web.auth import ACCOUNTS, PROOF, Proof
from appliance.web.console_tickets import PREFIX, PROTOCOL
from appliance.web.doors import DOORS
from appliance.web.keys import SERVICES, USER

VM = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
PIECE = bytes(64 << 10)
PROOF_OF_ALL = Proof(Asker("bench", Role.OPERATOR, "127.0.0.1"), "log-in")


def source(at: str) -> None:
    """Each connection in a thread: ``flood`` begins what never ends, all else is said back."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(at)
    listening.listen()
    while True:
        threading.Thread(target=_serve, args=(listening.accept()[0],), daemon=True).start()


def _serve(line: socket.socket) -> None:
    with line, contextlib.suppress(OSError):
        while data := line.recv(4096):
            while data == b"flood":
                line.sendall(PIECE)
            line.sendall(data)


async def ours(directory: Path, at: str) -> dict[str, Any]:
    """The WebSockets of the daemon with its event loop and its TLS; who asks is known already."""
    app = web.Application(middlewares=[_known])
    app[DOORS] = {}
    app[SERVICES] = SimpleNamespace(  # type: ignore[assignment]
        clock=time.time, vms=lambda: SimpleNamespace(open_console=_opener(at))
    )
    app[ACCOUNTS] = SimpleNamespace(  # type: ignore[assignment]
        role_of=_role, access=SimpleNamespace(changes=0, news=lambda known, seconds: asyncio.sleep(seconds))
    )
    console_door.add_routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    tls = server_tls.ServerTls(certificates.authority(directory, time.time()), ["127.0.0.1"], time.time())
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls.context).start()
    later = time.time() + 600  # until when they are good does not matter here
    tickets = [app[console_door.SESSIONS].tickets.make(VM, ConsoleKind.SCREEN, PROOF_OF_ALL, later) for _ in range(2)]
    return {
        "port": runner.addresses[0][1],
        "path": console_door.PATH.format(key=VM, kind=ConsoleKind.SCREEN),
        "headers": [f"Sec-WebSocket-Protocol: {PROTOCOL}, {PREFIX}{each}" for each in tickets],
        "framed": True,
    }


@web.middleware
async def _known(request: web.Request, handler: Callable[..., Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    request[PROOF], request[USER] = PROOF_OF_ALL, PROOF_OF_ALL.asker
    return await handler(request)


async def _role(proof: Proof) -> Role:
    return proof.asker.role


def _opener(at: str) -> Callable[..., Awaitable[socket.socket]]:
    async def opens(key: str, kind: ConsoleKind) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, at)
        return made

    return opens


def websockify(directory: Path, at: str) -> subprocess.Popen[bytes]:
    """As its documents start it."""
    port, cert = free_port(), str(directory / "peer.pem")
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    made += ["-subj", "/CN=127.0.0.1", "-keyout", f"{cert}.key", "-out", cert]
    subprocess.run(made, check=True, stderr=subprocess.DEVNULL)
    argv = [sys.executable, "-m", "websockify", "--ssl-only", "--cert", cert, "--key", f"{cert}.key"]
    argv += ["--unix-target", at, f"127.0.0.1:{port}"]
    proxy = subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True)
    while proxy.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.05)
    _say({"port": port, "path": "/", "headers": [], "framed": True})
    return proxy


def free_port() -> int:
    """One that nobody listens on at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


async def _serve_ours(directory: Path, at: str, ends: Callable[[], None]) -> None:
    _say(await ours(directory, at))
    await asyncio.to_thread(sys.stdin.read)
    ends()
    os._exit(0)  # with viewers that are in the middle of a flood


def main(how: str, directory: Path) -> None:
    """Serve one of the three."""
    at = str(directory / f"source-{os.getpid()}")
    feeding = Process(target=source, args=(at,), daemon=True)
    feeding.start()
    while not Path(at).exists():
        time.sleep(0.01)
    if how == "ours":
        uvloop.run(_serve_ours(directory, at, feeding.terminate))
    else:
        peer = websockify(directory, at) if how == "websockify" else None
        if peer is None:
            _say({"unix": at, "framed": False})
        sys.stdin.read()
        if peer is not None:
            os.killpg(peer.pid, signal.SIGTERM)  # with a process for each viewer
            peer.wait()
    feeding.terminate()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
