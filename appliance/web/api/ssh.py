"""Log-in to the appliance itself by SSH, for programs."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.privileged.verbs.ssh import SshStatus
from appliance.ssh_keys import LONGEST_LINE, MOST_KEYS
from appliance.web.api.body import answer, body
from appliance.web.keys import SERVICES, USER

Line = Annotated[str, msgspec.Meta(max_length=LONGEST_LINE)]


class SshIn(msgspec.Struct, forbid_unknown_fields=True):
    """Everybody who is to be let in. Whoever has one of the keys is root of the appliance."""

    keys: Annotated[list[Line], msgspec.Meta(max_length=MOST_KEYS)]
    """Public keys, each as the line of a ``.pub`` file, without options; none switches SSH off."""
    version: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """That of the keys as you saw them: they are not changed where somebody else has changed them meanwhile."""


class SshKeyOut(msgspec.Struct):
    """A key that is let in."""

    kind: str
    """As ``ssh-ed25519``."""
    fingerprint: str
    """As ``SHA256:...``."""
    comment: str
    line: str
    """All of it, public, as it can be sent back."""


class SshOut(msgspec.Struct):
    """Who is let in as root, by key and not otherwise, on the management networks."""

    here: bool
    """False: this computer is no flashed appliance, and its SSH server belongs to its administrator."""
    trouble: str
    """Why nothing is known of it; empty where it is."""
    on: bool = False
    """Whether anybody is let in; if not, the SSH server does not run."""
    keys: list[SshKeyOut] = []
    others: int = 0
    """Lines beside the keys that somebody wrote who was root: they go with the next change."""
    host_key: str = ""
    """Fingerprint of the appliance's own key, to be compared at the first log-in; empty before there is one."""
    active: str = ""
    """The state of the SSH server, as systemd says it."""
    version: str = ""
    """Of the keys: another one whenever they change."""


async def show(request: web.Request) -> web.Response:
    """Whose keys are let into the appliance itself."""
    from appliance.web.ssh_access import standing  # the daemon at rest does without it

    found = await standing(request.app[SERVICES])
    return answer(_out(found.status) if found.status else SshOut(found.here, found.trouble))


async def put(request: web.Request) -> web.Response:
    """Let in those who have one of these keys, and nobody else."""
    from appliance.web.ssh_access import authorize

    asked = await body(request, SshIn)
    return answer(_out(await authorize(request.app[SERVICES], asked.keys, asked.version, request[USER])))


def _out(of: SshStatus) -> SshOut:
    """As programs are told."""
    keys = [SshKeyOut(key.kind, key.fingerprint, key.comment, key.line) for key in of.keys]
    return SshOut(True, "", of.on, keys, of.others, of.host_key, of.active, of.version)
