"""What the web layer is given by the daemon."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.console_tls import ConsoleTls
from appliance.errors import NotFound
from appliance.events import Bus
from appliance.metrics.exposition import Metrics
from appliance.metrics.history import History
from appliance.privileged.client import Privileged
from appliance.reconcile.imports import Imports
from appliance.reconcile.intake import Intake
from appliance.reconcile.network_views import NetworkViews
from appliance.reconcile.network_wishes import NetworkWishes
from appliance.reconcile.own_networks import OwnNetworks
from appliance.reconcile.power_wishes import PowerWishes
from appliance.reconcile.recipes import Recipes
from appliance.reconcile.room import Space
from appliance.reconcile.seeds import Seeds
from appliance.reconcile.subnet_switches import SubnetSwitches
from appliance.reconcile.updates import Updates
from appliance.reconcile.wishes import Wishes
from appliance.setup.first_start import FirstStart
from appliance.store.store import Store

if TYPE_CHECKING:
    from appliance.reconcile.pool_parts import PoolParts
    from appliance.reconcile.vm_statistics.figures import VmFigures
    from appliance.reconcile.vms.service import Vms


def _no_pools() -> "PoolParts":
    raise NotFound("storage-none", "there are no pools here", "ask the daemon of an appliance")


def _no_vms() -> "Vms":
    raise NotFound("vms-none", "there are no hosts of VMs here", "ask the daemon of an appliance")


def _no_figures() -> "VmFigures":
    raise NotFound("vms-none", "there are no hosts of VMs here", "ask the daemon of an appliance")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that pages and API endpoints may use."""

    store: Store
    bus: Bus
    wishes: Wishes
    network: NetworkViews
    network_wishes: NetworkWishes
    power_wishes: PowerWishes
    switches: SubnetSwitches
    own_networks: OwnNetworks
    imports: Imports
    seeds: Seeds
    clock: Callable[[], float]
    state_dir: Path
    domain: str
    fingerprint: str
    """SHA-256 of the certificate authority, as set-up shows it."""
    config: dict[str, object]
    """The configuration file's values, to be shown read-only."""
    metrics: Metrics = field(default_factory=Metrics)
    history: History = field(default_factory=History)
    hosts: tuple[str, ...] = ()
    """Names that the console is reached by, besides its addresses and those in its certificate."""
    trouble: Callable[[], str] = lambda: ""
    """What hinders the whole appliance at the moment, to be shown on every page; empty while nothing does."""
    again: Callable[[], None] = lambda: None
    """Has the daemon end and begin anew, on a state that was prepared; requests that go on are answered."""
    config_path: Path = Path("/etc/qrm/appliance.toml")
    """The configuration file that the daemon runs with."""
    room: Callable[[], Space | None] = lambda: None
    """How much room there is for the state, as it was last seen."""
    serves: Callable[[], Sequence[str]] = lambda: ()
    """Which of ``dhcp`` and ``tftp`` are served at the moment, on any subnet."""
    privileged: Privileged = field(default_factory=Privileged)
    """What needs root is asked of it; there is none on a computer that is no flashed appliance."""
    updates: Updates | None = None
    """The one that does its tasks as well: two would not know of each other what comes in; None: one of its own."""
    intake: Intake | None = None
    """The one whose tasks are done, as of ``updates``."""
    recipes: Recipes | None = None
    """The one whose tasks are done, as of ``updates``."""
    tls: ConsoleTls | None = None
    """The console's certificate; None where somebody else ends TLS, in tests."""
    first_start: FirstStart | None = None
    """Set-up in steps; None where there is none to go through."""
    storage: "Callable[[], PoolParts]" = _no_pools
    """Pools and volumes; what works with them is imported at the first call."""
    vm_figures: "Callable[[], VmFigures]" = _no_figures
    """What VMs use, and their screens."""
    vms: "Callable[[], Vms]" = _no_vms
    """Virtual machines and their hosts; as of ``storage``."""
    changing_settings: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One change of the configuration file at a time: each begins from what the last one left."""
