"""The store goes with the network: what it knows of an interface moves with its name, whoever confirmed the change.

The store remembers the layout that it was last moved for. So nothing is lost where somebody confirms on the
appliance's own screen, or where the daemon is killed in between, and nothing is moved twice.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Mapping

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError
from appliance.networking.follow import moves
from appliance.networking.layout import Layout
from appliance.privileged.client import Privileged
from appliance.privileged.verbs.network import Status
from appliance.store import accounts
from appliance.store.renaming import rename_interfaces
from appliance.store.store import Store

log = logging.getLogger(__name__)

START_SECONDS = 30.0
"""How long the helper is waited for at a start: machines are not to wait longer for an appliance that cannot ask it."""
_KEY = "network_followed"
"""A setting: the layout that the store was last moved for, as JSON."""


def follow(db: sqlite3.Connection, layout: Layout) -> Mapping[str, str]:
    """Move what is stored to where the confirmed ``layout`` has it; the interfaces that moved, old to new.

    All in one transaction, the caller's. The first layout that is seen moves nothing.
    """
    text = msgspec.json.encode(layout).decode()
    known = accounts.setting(db, _KEY)
    if not layout.interfaces or known == text:
        return {}
    moved = moves(_layout(known), layout)
    rename_interfaces(db, moved)
    accounts.put_setting(db, _KEY, text)
    return moved


def _layout(text: str | None) -> Layout:
    try:
        return decoded(text or "{}", Layout)
    except msgspec.DecodeError:  # of a version that knew other fields
        return Layout()


async def follow_at_start(store: Store, privileged: Privileged) -> None:
    """Before anything is read that is kept by the names of interfaces. What cannot be asked now is so later."""
    if not privileged.here:
        return
    try:
        async with asyncio.timeout(START_SECONDS):
            status = await privileged.call(Status())
        moved = await store.write(lambda db: follow(db, status.layout))
    except (ApplianceError, TimeoutError) as error:
        log.warning("whether interfaces have other names is not known: %s", error)
        return
    if moved:
        log.info("what was stored moved with the network: %s", ", ".join(f"{a} to {b}" for a, b in moved.items()))
