"""Pools of storage: all of them, and the page of one with its volumes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from appliance.accounts import Role
from appliance.pool import LVM
from appliance.reconcile.pool_consequences import of_retire
from appliance.reconcile.pool_shown import PoolView, VolumeView
from appliance.volume import Pool, PoolKind, VolumeId
from appliance.web.console import pool_words
from appliance.web.console.listing import Query, listed, parse_query
from appliance.web.console.machine_actions import Button
from appliance.web.console.page import render
from appliance.web.console.words import Mark
from appliance.web.keys import SERVICES, USER

SHOWN: Mapping[str, Callable[[VolumeView], bool]] = {
    "golden": lambda view: view.known.golden,
    "snapshots": lambda view: view.volume.read_only and not view.known.golden,
    "in use": lambda view: view.volume.in_use,
    "not in use": lambda view: not view.volume.in_use,
    "in trouble": lambda view: bool(view.volume.trouble),
}
"""What the list of volumes can be narrowed to."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One pool as pages show it."""

    view: PoolView
    mark: Mark
    kind: str
    link: str
    room: str
    """The largest volume that can be made, in words; empty where nobody can look."""

    @property
    def busy(self) -> bool:
        """Whether something is under way with it as a whole: what it lacks then is no trouble."""
        return pool_words.work_on_pool(self.view) is not None

    @property
    def bars(self) -> list[pool_words.Bar]:
        """How full it is."""
        return pool_words.bars(self.view.seen) if self.view.seen else []

    @property
    def promised(self) -> str:
        """What its volumes would take, in words."""
        return pool_words.promised(self.view.seen) if self.view.seen else ""

    @property
    def overcommitted(self) -> bool:
        """Whether they would take more than there is."""
        return self.view.seen is not None and pool_words.is_overcommitted(self.view.seen)


def shown(view: PoolView) -> Shown:
    """With the words for it."""
    room = pool_words.room_in_words(view.seen.largest) if view.seen else ""
    kind = pool_words.KINDS[view.known.kind]
    return Shown(view, pool_words.pool_mark(view), kind, f"/storage/{view.known.id}", room)


async def pool_of(request: web.Request) -> PoolView:
    """The one in the address; raises NotFound ``pool-unknown``."""
    return await request.app[SERVICES].storage().views.pool(request.match_info["pool"])


async def index(request: web.Request) -> web.Response:
    """GET /storage"""
    found = await request.app[SERVICES].storage().views.pools()
    return render(request, "storage.html", pools=[shown(each) for each in found])


async def show(request: web.Request) -> web.Response:
    """GET /storage/{pool}, its volumes filtered by ``state`` and ``q``."""
    view = await pool_of(request)
    of = shown(view)
    query = parse_query(of.link, request.query, ("state", "q"), tuple(_columns({})))
    names = names_in(view.seen)
    return render(
        request,
        "pool.html",
        pool=of,
        meaning=pool_words.MEANINGS[view.known.kind],
        actions=actions_for(view, request[USER].role),
        listed=listed(view.volumes, query, lambda each: _matches(each, query), _columns(names)),
        states=tuple(SHOWN),
        names=names,
        uses=pool_words.USES,
        volume_mark=pool_words.volume_mark,
        lost=sorted(view.lost, key=lambda each: each.name),
    )


def names_in(seen: Pool | None) -> dict[VolumeId, str]:
    """The names of all volumes that are there, by their ids."""
    return {each.id: each.name for each in seen.volumes} if seen else {}


def _columns(names: Mapping[VolumeId, str]) -> dict[str, Callable[[VolumeView], Any]]:
    return {
        "name": lambda view: view.volume.name,
        "size": lambda view: view.volume.size,
        "used": lambda view: -1 if view.volume.used is None else view.volume.used,
        "origin": lambda view: names.get(view.volume.origin or VolumeId(""), ""),
        "created": lambda view: -view.volume.created,
    }


def _matches(view: VolumeView, query: Query) -> bool:
    """Every word that was typed is in its name, or begins its id."""
    if (narrowed := SHOWN.get(query.filters.get("state", ""))) and not narrowed(view):
        return False
    name, key = view.volume.name.lower(), view.volume.id
    return all(word in name or key.startswith(word) for word in query.filters.get("q", "").lower().split())


def actions_for(view: PoolView, role: Role) -> list[Button]:
    """What can be done to a pool; disks are for administrators."""
    link, work = f"/storage/{view.known.id}", pool_words.work_on_pool(view)
    busy = f"it is {pool_words.UNDER_WAY[work.deed]}; wait until that has ended" if work else ""
    gone = busy or ("" if view.seen else f"it cannot be looked at: {view.trouble}")
    found = [Button("New volume", "plus", f"{link}/volumes/new", gone, primary=True)]
    if not role.covers(Role.ADMIN):
        return found
    if view.known.kind in LVM:
        found.append(Button("Extend", "hard-drive", f"{link}/extend", gone))
    if view.known.kind is PoolKind.LVM_THIN:
        found.append(Button("Check and repair", "wrench", f"{link}/repair", gone, menu=True))
    retire = busy or of_retire(view.known, view.seen, view.trouble).refused
    return [*found, Button("Retire", "trash-2", f"{link}/retire", retire.rstrip("."), menu=True)]
