"""Takes what kernels said while they started; it is for people, and hostile until cleaned."""

import re
import sqlite3
from collections.abc import Callable

from appliance.errors import Denied
from appliance.machine import MachineId
from appliance.reconcile.ration import Ration
from appliance.store import boot_messages, deployments, machines, tokens
from appliance.store.boot_messages import STACK, SYSTEM, BootMessages
from appliance.store.store import Store

LIMIT = 256 << 10
"""Bytes that are kept of one boot: of more, the beginning and the end."""
BOOTS_AT_ONCE, BOOT_SECONDS = 5, 60.0
"""Boots of one machine of which the messages are kept at once, and seconds to each further one."""
_LEFT_OUT = "\n... left out ...\n"
_TOKEN = re.compile(r"(qrm\.(?:token|nonce)=)\S+")
"""As `netboot.script` puts them there."""


class MachineMessages:
    """The part of ``netboot.fleet.Fleet`` that takes them."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._ration = Ration(BOOTS_AT_ONCE, BOOT_SECONDS)

    async def of_stack(self, token: str, text: str) -> None:
        """Those of the maintenance stack that holds this machine token; an unproven one's are dropped."""

        def job(db: sqlite3.Connection) -> None:
            session = tokens.get_session(db, token)
            if session.proven:
                self._keep(db, session.machine, STACK, session.hash, text)

        await self._store.write(job)

    async def of_system(self, token: str, boot_id: str, text: str) -> None:
        """Those of the deployed system that holds this resident token."""

        def job(db: sqlite3.Connection) -> None:
            whose = tokens.resident(db, token)
            if whose is None or deployments.get(db, whose[0]).machine != whose[1]:
                raise Denied("session-unknown", "this system belongs to no deployment (any more)")
            self._keep(db, whose[1], SYSTEM, boot_id, text)

        await self._store.write(job)

    def _keep(self, db: sqlite3.Connection, machine: MachineId, source: str, boot: str, text: str) -> None:
        """Once a boot: what is sent again has lost its beginning by then."""
        now = self._clock()
        if boot_messages.boot_of(db, machine, source) == boot:
            return
        if self._ration.admit((machine, source), now) is not None:
            boot_messages.put(db, machine, boot, BootMessages(source, now, cleaned(text)))


async def messages_of(store: Store, key: str) -> list[BootMessages]:
    """What is kept of the machine with this id or name; raises NotFound."""

    def job(db: sqlite3.Connection) -> list[BootMessages]:
        return boot_messages.of_machine(db, machines.get(db, key).id)

    return await store.read(job)


def cleaned(text: str) -> str:
    """Printable lines of LIMIT bytes together at most; what steers a terminal or the direction of text is replaced.

    The tokens on the kernel command line are left out: whoever may look need not have them.
    """
    text = _TOKEN.sub(r"\1[left out]", text)
    if not text.isascii() or text.encode().translate(None, _USUAL):  # to ask costs a tenth of looking for it
        text = _UNUSUAL.sub(lambda found: _shown(found[0]), text)
    encoded = text.encode()
    if len(encoded) <= LIMIT:
        return text
    half = LIMIT // 2 - len(_LEFT_OUT)
    begin, end = encoded[:half].decode(errors="ignore"), encoded[-half:].decode(errors="ignore")
    return begin + _LEFT_OUT + end


_USUAL = bytes([ord("\n"), *range(ord(" "), ord("~") + 1)])
_UNUSUAL = re.compile(r"[^\n -~]")
"""Almost nothing of a quarter of a megabyte, which is looked at while everything else waits."""
_REPLACED = {"\t": " ", "\r": ""}


def _shown(character: str) -> str:
    return character if character.isprintable() else _REPLACED.get(character, "\ufffd")
