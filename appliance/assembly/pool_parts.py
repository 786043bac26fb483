"""What works with pools, built once there is one, or somebody asks."""

from dataclasses import dataclass

from appliance.assembly.ground import Ground
from appliance.privileged.client import Privileged
from appliance.reconcile.pool_asking import Asking
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.pool_views import PoolViews
from appliance.reconcile.pool_watch import PoolWatch
from appliance.reconcile.pool_wishes import Pools
from appliance.reconcile.pool_work import PoolWork
from appliance.reconcile.volume_wishes import Volumes
from appliance.storage.build import Surroundings


@dataclass(frozen=True, slots=True)
class PoolParts:
    """All of it."""

    rooms: Rooms
    views: PoolViews
    pools: Pools
    volumes: Volumes
    work: PoolWork
    watch: PoolWatch


def pool_parts(on: Ground) -> PoolParts:
    """Nothing is opened."""
    shared = (on.store, on.bus, on.clock)
    rooms = Rooms(*shared, Surroundings(Privileged(), on.clock))
    work, views = PoolWork(*shared, rooms), PoolViews(on.store, rooms)
    asking = Asking(*shared, work)
    watch = PoolWatch(*shared, rooms, work)
    return PoolParts(rooms, views, Pools(asking, views, rooms), Volumes(asking, views), work, watch)
