"""What has to hold for a version to be good, looked at from outside of the daemon: nobody is asked how they are."""

import asyncio
import ssl
from collections.abc import Iterable
from pathlib import Path

from appliance import config
from appliance.config import Config
from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer
from appliance.updates.verdict import Finding, udp_ports

CONFIGURED, FIRST = "qrm/appliance.toml", "qrm/first.toml"
"""Below /etc; below /usr/share, before set-up."""
SECONDS = 10.0
"""How long one answer may take; it is asked again until the deadline."""
DHCP, TFTP = 67, 69
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask, not a bind


def configuration(on: Computer) -> Config:
    """As the daemon reads it. Raises ConfigError."""
    path = on.roots.etc / CONFIGURED
    return config.load(path if path.exists() else on.roots.share / FIRST)


async def look(on: Computer) -> list[Finding]:
    """One look at everything."""
    try:
        found = configuration(on)
    except ApplianceError as error:
        return [Finding("the configuration can be read", error.message)]
    return [*await _console(on, found), await _libvirt(on), *_served(on, found)]


async def _console(on: Computer, found: Config) -> list[Finding]:
    """The API answers, and it can read the store: GET /healthz is 200 only then."""
    answers, state = "the console answers", "the state can be read"
    try:
        status = await _status(*_place(found.web.listen))
    except (OSError, TimeoutError, ValueError, IndexError) as error:
        why = f"{str(error) or 'no answer'}{await _last_words(on)}"
        return [Finding(answers, why), Finding(state, "the console could not be asked")]
    return [Finding(answers), Finding(state, "" if status == 200 else f"/healthz says {status}")]


def _place(listen: Iterable[str]) -> tuple[str, int]:
    host, _, port = next(iter(listen), "0.0.0.0:8443").rpartition(":")
    host = host.strip("[]")
    return _ANYWHERE.get(host, host), int(port)


async def _status(host: str, port: int) -> int:
    """The status of GET /healthz (RFC 9112 section 4). Raises OSError, TimeoutError, ValueError, IndexError."""
    # Our own computer is asked, and a certificate that was brought names others: nothing is told, nothing believed.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()


async def _last_words(on: Computer) -> str:
    """What the daemon said last, after a colon: why it does not start, most of the time."""
    journal = ["journalctl", "--unit=appliance.service", "--boot", "--lines=3", "--output=cat", "--no-pager"]
    try:
        said = await on.run(journal)
    except ApplianceError:
        return ""
    words = "; ".join(line.strip() for line in said.splitlines() if line.strip())[-300:]
    return f": {words}" if words else ""


async def _libvirt(on: Computer) -> Finding:
    connects = "libvirt connects"
    try:
        await on.run(["virsh", "--connect", "qemu:///system", "version"], SECONDS)
    except ApplianceError as error:
        return Finding(connects, error.message[-200:])
    return Finding(connects)


def _served(on: Computer, found: Config) -> list[Finding]:
    """DHCP and TFTP have their ports, where there is a subnet to serve."""
    if not any(each.mode != "off" for each in found.subnet):
        return []
    bound = udp_ports(_text(on.roots.proc / "net/udp"))
    wanted = {DHCP: "DHCP is served", **({TFTP: "TFTP is served"} if found.tftp.enabled else {})}
    return [
        Finding(text, "" if port in bound else f"nothing is bound to UDP port {port}") for port, text in wanted.items()
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
