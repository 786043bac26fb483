"""The kernel's NFS server (nfsd(7)): where it listens, who is connected, how a client or file system is cut off."""

import re
import sys
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.privileged import durable
from appliance.privileged.computer import Computer
from appliance.privileged.nfs_table import state
from appliance.privileged.own_addresses import check_served
from appliance.privileged.units import bring_up

UNIT, PORT = "nfs-server.service", 2049
_LISTENING = re.compile(rf"^ *\d+: ([0-9A-F]{{8}}):{PORT:04X} 00000000:0000 0A ", re.MULTILINE)
"""A socket of /proc/net/tcp (proc_net(5)) that listens: its address as the processor holds it, port, nobody, LISTEN."""
_CLIENT = re.compile(r'^address: "([0-9.]+):[0-9]+"', re.MULTILINE)


def _kernel(on: Computer) -> Path:
    return on.roots.proc / "fs" / "nfsd"


def runs(on: Computer) -> bool:
    """Whether anybody can be answered."""
    return (durable.read(_kernel(on) / "threads") or "0").strip() != "0"


def served(on: Computer) -> tuple[str, ...]:
    """Addresses that it listens at: sockets, as the kernel has them (``nfsdctl`` would be one more program)."""
    if not runs(on):
        return ()
    found = _LISTENING.findall(durable.read(on.roots.proc / "net" / "tcp") or "")
    return tuple(str(IPv4Address(int(each, 16).to_bytes(4, sys.byteorder))) for each in found)


async def serve(on: Computer, address: str) -> None:
    """Listen at this address of ours, too; raises Conflict ``address-not-served``, ApplianceError ``nfs-not-serving``.

    A server that runs is never started anew for that: whoever has files open would have to wait.
    """
    already = served(on)
    if address in already:
        return
    await check_served(on, address)
    durable.write(state(on) / "nfsd.conf", f"[nfsd]\nhost={','.join((*already, address))}\n")
    if runs(on):
        _listen_too(on, address)
    else:
        await bring_up(on, "restart", UNIT, seconds=120.0)
    if address not in served(on):
        raise _not_serving(address)


def _listen_too(on: Computer, address: str) -> None:
    """The kernel takes over a socket that listens, also while it serves (nfsd(7), ``portlist``).

    Not ``nfsdctl listener``: Linux 6.12 answers that with EBUSY while it serves.
    """
    try:
        with on.listen(address, PORT) as listening:
            (_kernel(on) / "portlist").write_text(f"{listening.fileno()}\n")
    except OSError as error:
        raise _not_serving(f"{address}: {error.strerror}") from error


def _not_serving(where: str) -> ApplianceError:
    hint = f"why is told by: journalctl -u {UNIT} -u nfs-mountd"
    return ApplianceError("nfs-not-serving", f"the NFS server does not listen at {where}", hint)


def connected(on: Computer) -> set[str]:
    """Addresses of machines that have anything mounted."""
    infos = [durable.read(each) or "" for each in _kernel(on).glob("clients/*/info")]
    return {address for info in infos for address in _CLIENT.findall(info)}


def cut_off(on: Computer, place: Path) -> None:
    """Take away what clients hold open, locked or delegated in the file system at a place."""
    if runs(on):
        _say(_kernel(on) / "unlock_filesystem", f"{place}\n")


def expire(on: Computer, address: str) -> None:
    """Forget a client with everything that it holds; what is still granted to it, it opens again by itself."""
    for info in _kernel(on).glob("clients/*/info"):
        if address in _CLIENT.findall(durable.read(info) or ""):
            _say(info.parent / "ctl", "expire\n")


def _say(file: Path, text: str) -> None:
    """The client or the server may end in that moment: whether anything is held is seen when it is unmounted."""
    with suppress(OSError):
        file.write_text(text)
