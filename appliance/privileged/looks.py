"""What has to hold for a version to be good, looked at from outside of the daemon: nobody is asked how they are.

Only what is to be served is the daemon's own word: users switch DHCP off, and a subnet that does not fit is set aside.
"""

import asyncio
import ssl
from collections.abc import Iterable
from pathlib import Path

import msgspec

from appliance import config
from appliance.config import Config
from appliance.decoding import decoded
from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer
from appliance.updates.verdict import Finding, udp_ports

CONFIGURED, FIRST = "qrm/appliance.toml", "qrm/first.toml"
"""Below /etc; below /usr/share, before set-up."""
SECONDS = 10.0
"""How long one answer may take; it is asked again until the deadline."""
PORTS = {"dhcp": ("DHCP is served", 67), "tftp": ("TFTP is served", 69)}
"""By what the daemon calls it: the criterion, and the UDP port that has to be bound."""
LARGEST_ANSWER = 65536
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
    return [*await _daemon(on, found), await _libvirt(on)]


async def _daemon(on: Computer, found: Config) -> list[Finding]:
    """The API answers, it can read the store (GET /healthz is 200 only then), and what is to be served is bound."""
    answers, state = "the console answers", "the state can be read"
    try:
        status, body = await _health(*_place(found.web.listen))
    except (OSError, TimeoutError, ValueError, IndexError) as error:
        why = f"{str(error) or 'no answer'}{await _last_words(on)}"
        return [Finding(answers, why), Finding(state, "the console could not be asked")]
    if status != 200:
        return [Finding(answers), Finding(state, f"/healthz says {status}")]
    return [Finding(answers), Finding(state), *_served(on, body)]


def _place(listen: Iterable[str]) -> tuple[str, int]:
    host, _, port = next(iter(listen), "0.0.0.0:8443").rpartition(":")
    host = host.strip("[]")
    return _ANYWHERE.get(host, host), int(port)


async def _health(host: str, port: int) -> tuple[int, bytes]:
    """The answer to GET /healthz (RFC 9112 section 4). Raises OSError, TimeoutError, ValueError, IndexError."""
    # Our own computer is asked, and a certificate that was brought names others: nothing is told, nothing believed.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = int((await reader.readline()).split()[1])
            return status, (await reader.read(LARGEST_ANSWER)).partition(b"\r\n\r\n")[2]
        finally:
            writer.close()


async def _last_words(on: Computer) -> str:
    """What the daemon said last, after a colon: why it does not start, most of the time."""
    # Its own lines only: --unit= adds those of systemd about it, which come last and say least.
    journal = ["journalctl", "_SYSTEMD_UNIT=appliance.service", "--boot", "--lines=3", "--output=cat", "--no-pager"]
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


class _Health(msgspec.Struct):
    serves: list[str]


def _served(on: Computer, said: bytes) -> list[Finding]:
    """What the daemon means to serve has its ports."""
    try:
        serves = decoded(said, _Health).serves
    except msgspec.DecodeError as error:
        return [Finding("the daemon says what it serves", str(error))]
    bound = udp_ports(_text(on.roots.proc / "net/udp"))
    wanted = [PORTS[each] for each in serves if each in PORTS]
    return [Finding(text, "" if port in bound else f"nothing is bound to UDP port {port}") for text, port in wanted]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
