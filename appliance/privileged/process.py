"""The helper's process: its socket, its users, its signals."""

import asyncio
import grp
import logging
import os
import pwd
import signal
import socket
from contextlib import suppress
from pathlib import Path

from appliance import journal
from appliance.errors import ApplianceError
from appliance.listening import passed_sockets
from appliance.privileged import firewall, network
from appliance.privileged.computer import Computer
from appliance.privileged.server import IDLE_SECONDS, Server

log = logging.getLogger("appliance.privileged")

SOCKET_NAME = "helper"
"""``FileDescriptorName=`` in appliance-helper.socket."""


def serve(path: Path | None, user: str) -> int:
    """Serve until SIGTERM, or until nobody has called for a while. The exit code is 0.

    ``path`` is a socket of our own, for trials; without one, systemd has passed it. Raises ApplianceError
    ``socket-missing``, ``user-unknown``.
    """
    os.umask(0o077)
    journal.set_up(os.environ)
    users, group = _who_may_ask(user)
    listening = _listen(path) if path is not None else _passed()
    with listening:
        asyncio.run(_live(Server(Computer(group=group), users), listening, None if path else IDLE_SECONDS))
    return 0


def settle_network(user: str) -> None:
    """At boot, before the network starts; see ``network.settle``."""
    os.umask(0o077)
    journal.set_up(os.environ)
    asyncio.run(network.settle(_computer(user)))


def revert_network(user: str) -> None:
    """When the time for a confirmation is over; see ``network.take_back``."""
    os.umask(0o077)
    journal.set_up(os.environ)
    if asyncio.run(network.take_back(_computer(user), network.NOT_CONFIRMED)):
        log.warning("the change of the network was taken back: %s", network.NOT_CONFIRMED)


def put_firewall() -> None:
    """At boot, before anything can come in; see ``firewall.renew_rules``."""
    os.umask(0o077)
    asyncio.run(firewall.renew_rules(Computer()))


def _computer(user: str) -> Computer:
    """With the daemon's group, for files that it reads."""
    return Computer(group=_who_may_ask(user)[1])


async def _live(server: Server, listening: socket.socket, idle: float | None) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    log.info("the privileged helper serves")
    await server.serve(listening, idle)


def _who_may_ask(user: str) -> tuple[frozenset[int], int]:
    """Root and the daemon's user, and the group that may read what the daemon has to read."""
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        text = f"there is no user {user}, for whom the privileged helper works"
        raise ApplianceError("user-unknown", text, "make it with systemd-sysusers") from None
    with suppress(KeyError):
        return frozenset({0, found.pw_uid}), grp.getgrnam(user).gr_gid
    return frozenset({0, found.pw_uid}), found.pw_gid


def _passed() -> socket.socket:
    passed = passed_sockets(os.environ, SOCKET_NAME)
    if not passed:
        hint = "start it through appliance-helper.socket, or name a socket with --socket"
        raise ApplianceError("socket-missing", "systemd has passed no socket to the privileged helper", hint)
    return passed[0]


def _listen(path: Path) -> socket.socket:
    with suppress(FileNotFoundError):
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()
    listening.setblocking(False)
    return listening
