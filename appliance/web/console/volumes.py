"""The page of one volume: what it is, what was made from it, and what can be done to it."""

from dataclasses import dataclass

from aiohttp import web

from appliance.errors import ApplianceError
from appliance.reconcile.pool_consequences import of_delete, of_roll_back
from appliance.reconcile.pool_shown import PoolView, VolumeView
from appliance.volume import Pool, Volume, check_may_copy
from appliance.web.console import pool_words
from appliance.web.console.machine_actions import Button
from appliance.web.console.page import render
from appliance.web.console.pools import names_in, pool_of, shown


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot, and why the volume cannot be rolled back to it; empty where it can."""

    view: VolumeView
    refused: str


async def volume_of(request: web.Request) -> tuple[PoolView, VolumeView]:
    """The pool and the volume in the address; raises NotFound."""
    view = await pool_of(request)
    return view, view.volume(request.match_info["volume"])


async def show(request: web.Request) -> web.Response:
    """GET /storage/{pool}/volumes/{volume}"""
    view, volume = await volume_of(request)
    of, seen = shown(view), view.found()
    made = [each for each in view.volumes if each.volume.origin == volume.volume.id]
    kept = [each for each in made if _is_kept(each)]
    return render(
        request,
        "volume.html",
        pool=of,
        view=volume,
        volume=volume.volume,
        origin=names_in(seen).get(volume.volume.origin) if volume.volume.origin else None,
        link=link_of(view, volume.volume),
        actions=actions_for(view, volume),
        snapshots=[Kept(each, _no_way_back(view, volume, each)) for each in _newest_first(kept)],
        clones=[each for each in made if not _is_kept(each)],
        mark=pool_words.volume_mark(volume),
        volume_mark=pool_words.volume_mark,
        uses=pool_words.USES,
    )


def link_of(view: PoolView, volume: Volume) -> str:
    """Its page."""
    return f"/storage/{view.known.id}/volumes/{volume.id}"


def _is_kept(view: VolumeView) -> bool:
    """Whether it is a snapshot, and not an image that was made golden."""
    return view.volume.read_only and not view.known.golden


def _newest_first(views: list[VolumeView]) -> list[VolumeView]:
    return sorted(views, key=lambda each: (-each.volume.created, each.volume.name))


def _no_way_back(view: PoolView, volume: VolumeView, kept: VolumeView) -> str:
    return _busy(view, volume) or of_roll_back(volume.volume, kept.volume).refused.rstrip(".")


def _busy(view: PoolView, volume: VolumeView) -> str:
    """What is under way with it, or with all of its pool; empty where nothing is."""
    work = volume.work or pool_words.work_on_pool(view)
    return f"it is {pool_words.UNDER_WAY[work.deed]}; wait until that has ended" if work else ""


def actions_for(view: PoolView, volume: VolumeView) -> list[Button]:
    """The buttons of a volume, all of them always, so that nothing moves about."""
    link, busy = link_of(view, volume.volume), _busy(view, volume)
    troubled = busy or volume.volume.trouble
    copying = troubled or _no_copies(view.found())
    fixed = troubled or ("nobody writes it, so it stays as large as it is" if volume.volume.read_only else "")
    delete = busy or of_delete(view.found(), volume.volume, volume.known).refused.rstrip(".")
    mark = (
        Button("Call it golden no longer", "star", f"{link}/golden", busy, value="no", menu=True)
        if volume.known.golden
        else Button("Call it golden", "star", f"{link}/golden", troubled, value="yes", menu=True)
    )
    return [
        Button("Clone", "copy", f"{link}/clone", copying, primary=True),
        Button("Snapshot", "camera", f"{link}/snapshot", copying),
        Button("Grow", "arrow-up", f"{link}/grow", fixed),
        Button("Rename", "pencil", f"{link}/rename", troubled, menu=True),
        mark,
        Button("Delete", "trash-2", f"{link}/delete", delete, menu=True),
    ]


def _no_copies(seen: Pool) -> str:
    try:
        check_may_copy(seen)
    except ApplianceError as error:
        return f"{error.message}; {error.hint}"
    return ""
