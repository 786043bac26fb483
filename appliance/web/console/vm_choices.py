"""What forms of VMs let people choose from: pools with their room, volumes, bridges, discs, hosts."""

from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

from appliance.errors import ApplianceError
from appliance.pool import Use
from appliance.reconcile.pool_shown import PoolView, VolumeView
from appliance.store import isos
from appliance.web.console.pool_words import room_in_words
from appliance.web.console.words import memory
from appliance.web.keys import SERVICES


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a list to choose from."""

    value: str
    word: str


@dataclass(frozen=True, slots=True)
class Choices:
    """All that there is at this moment; what cannot be asked is not offered."""

    pools: tuple[Choice, ...]
    volumes: tuple[Choice, ...]
    bridges: tuple[str, ...]
    isos: tuple[str, ...]
    hosts: tuple[str, ...]


async def choices(request: web.Request) -> Choices:
    """Everything at once."""
    services = request.app[SERVICES]
    views = await _pools(request)
    known = await services.store.read(isos.every)
    everything = await services.vms().list()
    return Choices(
        pools=tuple(_pool(each) for each in views),
        volumes=tuple(each for view in views for each in _volumes(view)),
        bridges=await _bridges(request),
        isos=tuple(each.name for each in known),
        hosts=tuple(each.known.name for each in everything.hosts if not each.trouble),
    )


async def _pools(request: web.Request) -> list[PoolView]:
    try:
        found = await request.app[SERVICES].storage().views.pools()
    except ApplianceError:
        return []
    return [each for each in found if each.seen is not None]


def _pool(view: PoolView) -> Choice:
    largest = room_in_words(view.found().largest)
    return Choice(f"pool:{view.known.name}", f"New, in {view.known.name}: {largest} at most")


def _volumes(view: PoolView) -> Iterator[Choice]:
    for each in view.volumes:
        if _is_free(each):
            value = f"volume:{view.known.name}/{each.volume.id}"
            yield Choice(value, f"{view.known.name} / {each.volume.name}, {memory(each.volume.size)}")


def _is_free(view: VolumeView) -> bool:
    volume, known = view.volume, view.known
    return not (volume.in_use or volume.read_only or volume.trouble or known.golden or view.work) and (
        known.use is Use.USER
    )


async def _bridges(request: web.Request) -> tuple[str, ...]:
    """The appliance's own; those of other hosts are typed."""
    status = (await request.app[SERVICES].own_networks.standing()).status
    return tuple(each.name for each in status.layout.interfaces if each.kind == "bridge") if status else ()
