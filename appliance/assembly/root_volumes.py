"""What makes root volumes and keeps their exports; imported once there is a pool."""

from ipaddress import IPv4Network

from appliance.assembly.ground import Ground
from appliance.power_key import power_key
from appliance.reconcile.pool_parts import PoolParts
from appliance.reconcile.root_volumes.exporting import Exporting, Site
from appliance.reconcile.root_volumes.keeping import Keeping
from appliance.reconcile.root_volumes.loop import RootVolumes
from appliance.reconcile.root_volumes.steps import Steps
from appliance.root_volume import server_for
from appliance.store.sealing import Sealer


def root_volumes(on: Ground, storage: PoolParts) -> RootVolumes:
    """Nothing is opened, nothing asked."""
    sealer = Sealer(power_key(on.state))
    exporting = Exporting(storage.rooms.on.helper, sealer)
    site = Site(on.config.site.domain, lambda address: server_for(address, _networks(on)))
    shared = (on.store, on.bus, on.clock)
    steps = Steps(*shared, storage.rooms, exporting, sealer, site, storage.goldens.golden)
    return RootVolumes(*shared, steps, Keeping(*shared, exporting, site, steps))


def _networks(on: Ground) -> list[tuple[str, IPv4Network]]:
    """As they are served at this moment, each behind our address in it."""
    return [(str(each.address.ip), each.network) for each in on.subnets]
