"""Every verb, who carries it out, and whether it may be left in the middle: the whole of what root does for us."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from appliance.privileged import (
    configuration,
    data,
    disks,
    exports,
    firewall,
    hardware,
    iscsi_exports,
    journal,
    loader,
    lvm,
    lvm_fill,
    lvm_fill_file,
    lvm_pools,
    lvm_repair,
    lvm_volumes,
    network,
    nfs_exports,
    power,
    recipes,
    reset,
    services,
    ssh,
    update,
)
from appliance.privileged.computer import Act, Computer, Tell
from appliance.privileged.verb import Verb
from appliance.privileged.verbs import configuration as configuration_verbs
from appliance.privileged.verbs import data as data_verbs
from appliance.privileged.verbs import disks as disk_verbs
from appliance.privileged.verbs import exports as export_verbs
from appliance.privileged.verbs import firewall as firewall_verbs
from appliance.privileged.verbs import hardware as hardware_verbs
from appliance.privileged.verbs import iscsi_exports as iscsi_export_verbs
from appliance.privileged.verbs import journal as journal_verbs
from appliance.privileged.verbs import loader as loader_verbs
from appliance.privileged.verbs import lvm as lvm_verbs
from appliance.privileged.verbs import lvm_fill as lvm_fill_verbs
from appliance.privileged.verbs import lvm_fill_file as lvm_fill_file_verbs
from appliance.privileged.verbs import lvm_pools as lvm_pool_verbs
from appliance.privileged.verbs import lvm_repair as lvm_repair_verbs
from appliance.privileged.verbs import lvm_volumes as lvm_volume_verbs
from appliance.privileged.verbs import network as network_verbs
from appliance.privileged.verbs import nfs_exports as nfs_export_verbs
from appliance.privileged.verbs import power as power_verbs
from appliance.privileged.verbs import recipes as recipe_verbs
from appliance.privileged.verbs import reset as reset_verbs
from appliance.privileged.verbs import services as service_verbs
from appliance.privileged.verbs import ssh as ssh_verbs
from appliance.privileged.verbs import update as update_verbs

V = TypeVar("V", bound=Verb[Any])


@dataclass(frozen=True, slots=True)
class Row:
    """A verb of the table."""

    verb: type[Verb[Any]]
    act: Act
    alone: bool = True
    """It changes something: never together with another verb of its area that does."""
    stops: bool = False
    """It may be left in the middle: it is stopped when who asked has gone."""

    @property
    def area(self) -> str:
        """The part of the verb's name before the dot."""
        return self.verb.name.partition(".")[0]


def changes(verb: type[V], act: Callable[[V, Computer, Tell], Awaitable[object]], stops: bool = False) -> Row:
    """A verb that changes something: one at a time in its area.

    It is carried to its end, whoever goes away meanwhile, but for one that ``stops``.
    """
    return Row(verb, act, stops=stops)


def reads(verb: type[V], act: Callable[[V, Computer, Tell], Awaitable[object]]) -> Row:
    """A verb that only looks."""
    return Row(verb, act, alone=False, stops=True)


ROWS = (
    changes(power_verbs.Reboot, power.reboot),
    changes(power_verbs.PowerOff, power.power_off),
    reads(service_verbs.States, services.states),
    changes(service_verbs.Restart, services.restart),
    reads(network_verbs.Status, network.status),
    changes(network_verbs.Apply, network.apply),
    changes(network_verbs.Admit, network.admit),
    changes(network_verbs.Confirm, network.confirm),
    changes(network_verbs.Revert, network.revert),
    changes(firewall_verbs.Renew, firewall.renew),
    reads(configuration_verbs.Read, configuration.read),
    changes(configuration_verbs.Write, configuration.write),
    changes(configuration_verbs.HostName, configuration.host_name),
    changes(configuration_verbs.TimeZone, configuration.time_zone),
    changes(configuration_verbs.TimeServers, configuration.time_servers),
    reads(data_verbs.Choice, data.choice),
    changes(data_verbs.Prepare, data.prepare),
    reads(update_verbs.Slots, update.slots),
    reads(update_verbs.Inspect, update.inspect),
    changes(update_verbs.Install, update.install),
    changes(update_verbs.Back, update.back),
    # Beside the installation that it ends, which holds its area.
    Row(update_verbs.Stop, update.stop, alone=False),
    changes(loader_verbs.Renew, loader.renew),
    reads(disk_verbs.List, disks.disks),
    reads(disk_verbs.ReadSmart, disks.smart),
    reads(disk_verbs.Identify, disks.identify),
    reads(journal_verbs.Lines, journal.lines),
    reads(hardware_verbs.Look, hardware.look),
    changes(reset_verbs.Factory, reset.factory),
    reads(ssh_verbs.Status, ssh.status),
    changes(ssh_verbs.Authorize, ssh.authorize),
    reads(lvm_verbs.Report, lvm.report),
    changes(lvm_pool_verbs.MakePool, lvm_pools.make),
    changes(lvm_pool_verbs.Adopt, lvm_pools.adopt),
    changes(lvm_pool_verbs.ExtendPool, lvm_pools.extend),
    changes(lvm_pool_verbs.Retire, lvm_pools.retire),
    changes(lvm_pool_verbs.GrowPool, lvm_pools.grow),
    changes(lvm_pool_verbs.BackUp, lvm_pools.back_up),
    changes(lvm_repair_verbs.Examine, lvm_repair.examine),
    changes(lvm_repair_verbs.Repair, lvm_repair.repair),
    changes(lvm_volume_verbs.Create, lvm_volumes.create),
    changes(lvm_volume_verbs.Copy, lvm_volumes.copy),
    changes(lvm_volume_verbs.Grow, lvm_volumes.grow),
    changes(lvm_volume_verbs.StandIn, lvm_volumes.stand_in_for),
    changes(lvm_volume_verbs.Replace, lvm_volumes.replace),
    changes(lvm_volume_verbs.Rename, lvm_volumes.rename),
    changes(lvm_volume_verbs.Delete, lvm_volumes.delete),
    changes(lvm_volume_verbs.Clear, lvm_volumes.clear),
    changes(lvm_volume_verbs.Wake, lvm_volumes.wake),
    # Beside all others, for as long as it takes: nobody uses what is not filled, and it says so.
    Row(lvm_fill_verbs.Fill, lvm_fill.fill, alone=False, stops=True),
    Row(lvm_fill_file_verbs.FillFile, lvm_fill_file.fill_file, alone=False, stops=True),
    changes(nfs_export_verbs.NfsGrant, nfs_exports.grant),
    changes(nfs_export_verbs.NfsRevoke, nfs_exports.revoke),
    changes(iscsi_export_verbs.IscsiGrant, iscsi_exports.grant),
    changes(iscsi_export_verbs.IscsiRevoke, iscsi_exports.revoke),
    reads(export_verbs.List, exports.listed),
    # One unit for each, which nothing else touches.
    Row(recipe_verbs.Build, recipes.build, alone=False, stops=True),
)
TABLE = {row.verb.name: row for row in ROWS}
"""By the verb's name."""
