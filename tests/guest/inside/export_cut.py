"""An export in the guest that is cut off by a power cut, for the host: ``python3 -m tests.guest.inside.export_cut``.

``begin`` makes a pool with a volume that may be a root; ``grant KIND STEPS`` exports it as the helper does, says
``now`` after so many changes of the kernel's or of a program's, and waits there, or says ``end``; ``look KIND`` is for
after the restart: it says as JSON what is exported, then grants once more, revokes, and looks at the file system.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from appliance.export import initiator_name, target_name
from appliance.privileged.table import TABLE
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.iscsi_exports import IscsiGrant, IscsiRevoke
from appliance.privileged.verbs.nfs_exports import NfsGrant, NfsRevoke
from tests.guest.inside.exports import GROUP, SERVER, WEB, Bench, ask, connect, install, left, listed, patched
from tests.guest.inside.lvm_pool import say
from tests.guest.inside.programs import run

EXPORT, ROOT = "00000000000000a1", "00000000000000b1"
DOMAIN = "lab.test"
SECRET = "not so secret: this machine is gone in a minute"


def _grant(kind: str) -> Verb[Any]:
    group = run("vgs", "--noheadings", "--options", "vg_uuid", GROUP).strip()
    if kind == "nfs":
        return NfsGrant(EXPORT, group, ROOT, WEB, SERVER)
    initiator = initiator_name(DOMAIN, "web1")
    return IscsiGrant(EXPORT, group, ROOT, target_name(DOMAIN, EXPORT), initiator, SERVER, EXPORT, SECRET)


def begin() -> None:
    """The pool is on the scratch disks, which survive; all else is the host's to make anew."""
    made = Bench()
    made.begin()
    made.clone(ROOT, "qrm.filesystem=ext4")
    run("sync")


def grant(kind: str, steps: int) -> None:
    """In this process, which is the helper for so long."""
    verb = _grant(kind)
    row = TABLE[verb.name]
    copied = msgspec.convert(msgspec.to_builtins(verb), row.verb)

    async def act() -> None:
        await row.act(copied, patched(_waiting(steps)), lambda *_: None)

    asyncio.run(act())
    say("end")


def _waiting(steps: int) -> Callable[[], None]:
    to_go = steps

    def after_a_change() -> None:
        nonlocal to_go
        to_go -= 1
        if not to_go:
            say("now")
            signal.pause()

    return after_a_change


def look(kind: str) -> None:
    """Nobody has asked for anything since the start."""
    run("vgchange", "--activate", "y", GROUP)
    install()
    connect()
    found = {"listed": sorted(listed()), "left": left(EXPORT)}
    ask(_grant(kind))
    whole = listed()[EXPORT].whole
    ask(NfsRevoke(EXPORT) if kind == "nfs" else IscsiRevoke(EXPORT))
    checked = subprocess.run(["e2fsck", "-f", "-n", f"/dev/{GROUP}/v-{ROOT}"], check=False, capture_output=True)
    say(json.dumps({**found, "whole": whole, "after": left(EXPORT), "checked": checked.returncode}))


def main() -> None:
    """For the host."""
    match sys.argv[1:]:
        case ["begin"]:
            begin()
        case ["grant", kind, steps]:
            grant(kind, int(steps))
        case ["look", kind]:
            look(kind)
        case ["end"]:
            Bench().end()


if __name__ == "__main__":
    main()
