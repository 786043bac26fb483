"""Carries out the verbs of ``verbs/ssh.py``: a file of keys on the state partition, and sshd where it has any.

The image has ssh.service start only where the file is (``ssh.service.d/10-appliance.conf``), so that nothing has to be
enabled in the read-only root. Log-in is by key, whatever is done here: the image's sshd_config says so.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from appliance.authorized_keys import PublicKey, parse, parse_all
from appliance.errors import ApplianceError, Invalid
from appliance.privileged import durable
from appliance.privileged.computer import Computer, Roots, Tell
from appliance.privileged.verbs.ssh import UNIT, Authorize, LetIn, SshStatus, Status, changed_meanwhile

KEYS = Path("etc/ssh/authorized_keys/root")
"""On the state partition; the name of the file is that of the user (sshd_config(5), AuthorizedKeysFile, ``%u``)."""
HOST_KEY = Path("etc/ssh/ssh_host_ed25519_key.pub")
HEAD = "# Written by the appliance: who is let in is said in its console, under Settings, SSH.\n"
OFF = "Log-in to this appliance by SSH was switched off. Sessions such as yours go on until they are left."


async def status(verb: Status, on: Computer, tell: Tell) -> SshStatus:
    """From the file that sshd reads."""
    return await _status(on)


async def _status(on: Computer) -> SshStatus:
    content = _content(on.roots)
    keys, others = _read((content or b"").decode("utf-8", "replace"))
    let_in = tuple(LetIn(key.kind, key.fingerprint, key.comment, key.line) for key in keys)
    is_on, version = content is not None, _version(content or b"")
    return SshStatus(is_on, let_in, others, _host_key(on.roots), await _active(on), version)


def _content(roots: Roots) -> bytes | None:
    """What sshd reads, text or not."""
    try:
        return (roots.state / KEYS).read_bytes()
    except FileNotFoundError:
        return None


async def authorize(verb: Authorize, on: Computer, tell: Tell) -> SshStatus:
    """The file is there before sshd starts, and gone before it stops: a power cut leaves one or the other, whole."""
    keys, place = parse_all(verb.keys, "keys"), on.roots.state / KEYS
    if verb.version and verb.version != _version(_content(on.roots) or b""):
        raise changed_meanwhile()
    if keys:
        # sshd refuses a file that others than its owner may write to, and any directory above it (StrictModes).
        durable.write(place, HEAD + "".join(f"{key.line}\n" for key in keys), 0o600)
        await on.run(["systemctl", "--no-block", "start", UNIT])
    elif place.exists():
        durable.remove(place)
        await _switch_off(on)
    return await _status(on)


async def _switch_off(on: Computer) -> None:
    """The server stops, not the sessions that it has begun (ssh.service, ``KillMode=process``): they are told."""
    await on.run(["systemctl", "--no-block", "stop", UNIT])
    with suppress(ApplianceError):  # it is a courtesy
        await on.run(["wall", OFF])


def _read(text: str) -> tuple[list[PublicKey], int]:
    """The keys, and how many lines are something else."""
    keys: list[PublicKey] = []
    others = 0
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            try:
                keys.append(parse(line, "keys"))
            except Invalid:
                others += 1
    return keys, others


def _host_key(roots: Roots) -> str:
    with suppress(Invalid):
        return parse(durable.read(roots.state / HOST_KEY) or "", "host_key").fingerprint
    return ""


async def _active(on: Computer) -> str:
    """One word; empty where systemd does not say."""
    with suppress(ApplianceError):
        return (await on.run(["systemctl", "show", "--property=ActiveState", "--value", UNIT])).strip()
    return ""


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
