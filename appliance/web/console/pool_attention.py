"""Pools that want a person, as the last look at them was told: every page says so, and none of that asks a pool."""

import sqlite3
from collections.abc import Iterator

from appliance.reconcile.pool_news import ORDER, Told
from appliance.store import pools
from appliance.volume import Level
from appliance.web.console.pool_words import LEVELS
from appliance.web.console.words import Mark

IN_TROUBLE = Mark("triangle", "bad", "in trouble")
Item = tuple[Mark, str, str, str]
"""How it looks, which pool, why, and where to go."""


def wanting(db: sqlite3.Connection) -> list[Item]:
    """Of all pools that are not retired."""
    found: list[Item] = []
    for pool in pools.every(db):
        told = pools.told(db, pool.id, Told) or Told()
        found += [(mark, pool.name, text, f"/storage/{pool.id}") for mark, text in _of(told)]
    return found


def urgent(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Pools that are nearly full, or full: which, what that means, and where to go."""
    worst = {LEVELS[Level.STOP], LEVELS[Level.FULL]}
    return [(f"The pool {name} is {mark.word}", text, link) for mark, name, text, link in wanting(db) if mark in worst]


def _of(told: Told) -> Iterator[tuple[Mark, str]]:
    if told.trouble:
        yield IN_TROUBLE, told.trouble
    level = max(told.data, told.metadata, key=ORDER.index)
    if level is not Level.FINE:
        what = "its metadata" if ORDER.index(told.metadata) > ORDER.index(told.data) else "its room"
        meaning = LEVELS[level].meaning
        yield LEVELS[level], f"{what} is running out: {meaning[:1].lower()}{meaning[1:]}"
    if told.volumes:
        number, first = len(told.volumes), next(iter(told.volumes.values()))
        yield IN_TROUBLE, first if number == 1 else f"{number} volumes are in trouble, such as {first}"
