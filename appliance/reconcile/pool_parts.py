"""What works with pools and volumes, tied together; built once there is a pool, or somebody asks."""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.events import Bus
from appliance.reconcile.goldens import Goldens
from appliance.reconcile.pool_asking import Asking
from appliance.reconcile.pool_offer import PoolOffer
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.pool_views import PoolViews
from appliance.reconcile.pool_watch import PoolWatch
from appliance.reconcile.pool_wishes import Pools
from appliance.reconcile.pool_work import PoolWork
from appliance.reconcile.volume_wishes import Volumes, new_id
from appliance.storage.build import Surroundings
from appliance.store.store import Store


@dataclass(frozen=True, slots=True)
class PoolParts:
    """All of it."""

    rooms: Rooms
    views: PoolViews
    offer: PoolOffer
    pools: Pools
    volumes: Volumes
    goldens: Goldens
    work: PoolWork
    watch: PoolWatch


def pool_parts(store: Store, bus: Bus, clock: Callable[[], float], on: Surroundings) -> PoolParts:
    """Nothing is opened."""
    rooms = Rooms(store, bus, clock, on)
    work, views = PoolWork(store, bus, clock, rooms), PoolViews(store, rooms)
    asking = Asking(store, bus, clock, work)
    return PoolParts(
        rooms=rooms,
        views=views,
        offer=PoolOffer(store, rooms),
        pools=Pools(asking, views, rooms),
        volumes=Volumes(asking, views),
        goldens=Goldens(store, bus, clock, rooms, asking, new_id),
        work=work,
        watch=PoolWatch(store, bus, clock, rooms, work),
    )
