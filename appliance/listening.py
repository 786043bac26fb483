"""Listening TCP sockets: made here with errors that say which port and why, or passed in by systemd."""

import errno
import os
import socket
from collections.abc import Mapping

from appliance.errors import ApplianceError

FIRST_PASSED = 3
"""sd_listen_fds(3): passed descriptors begin here."""


def listen_tcp(address: str, port: int, purpose: str) -> socket.socket:
    """A listening socket; raises ApplianceError ``port-in-use``, ``port-refused`` or ``address-unusable``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise _bind_error(address, port, purpose, error) from error
    listening.setblocking(False)
    return listening


def _bind_error(address: str, port: int, purpose: str, error: OSError) -> ApplianceError:
    where = f"{purpose}: TCP {address} port {port}"
    if isinstance(error, PermissionError):
        hint = "start it through its systemd unit, or give it CAP_NET_BIND_SERVICE"
        return ApplianceError("port-refused", f"{where} is for privileged programs", hint)
    if error.errno == errno.EADDRINUSE:
        hint = f"see which program has it: ss -ltnp 'sport = :{port}'"
        return ApplianceError("port-in-use", f"{where}: {error.strerror}", hint)
    hint = "listen on an address that this computer has: ip address"
    return ApplianceError("address-unusable", f"{where}: {error.strerror}", hint)


def passed_sockets(environment: Mapping[str, str], name: str) -> list[socket.socket]:
    """The sockets that systemd or the lab passed under ``name`` (sd_listen_fds(3)); none where it passed none."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environment.get("LISTEN_FDS", "0"))
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    found = []
    for offset in range(count):
        if offset < len(names) and names[offset] == name:
            passed = socket.socket(fileno=FIRST_PASSED + offset)
            passed.setblocking(False)
            found.append(passed)
    return found
