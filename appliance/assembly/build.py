"""All parts, in the order in which they need each other."""

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from appliance import certificates, server_tls
from appliance.assembly import netboot
from appliance.assembly.console import NetworkParts, console
from appliance.assembly.first_start import first_start
from appliance.assembly.ground import Ground, ground
from appliance.assembly.parts import Assembly, Run
from appliance.assembly.pools import Storage
from appliance.assembly.power import power_parts
from appliance.assembly.recipes import recipe_parts
from appliance.assembly.switching import Standings, lookout
from appliance.assembly.vms import VirtualMachines
from appliance.config_fitting import Fit, fit, served
from appliance.events import Bus
from appliance.netboot.router import RouterAnswers
from appliance.network import first_addresses
from appliance.privileged.client import Privileged
from appliance.reconcile.boot_programs import BootPrograms
from appliance.reconcile.bulk import job_kinds
from appliance.reconcile.followed_layout import follow_at_start
from appliance.reconcile.imports import Imports
from appliance.reconcile.intake import Intake
from appliance.reconcile.intake_jobs import IntakeJobs
from appliance.reconcile.iso_jobs import IsoJobs
from appliance.reconcile.jobs import JobKind, Jobs
from appliance.reconcile.kept_names import KeptNames
from appliance.reconcile.link_watch import LinkWatch
from appliance.reconcile.loop import ReconcileLoop
from appliance.reconcile.names import Name
from appliance.reconcile.network_wishes import NetworkWishes
from appliance.reconcile.observations import Observations
from appliance.reconcile.own_networks import OwnNetworks
from appliance.reconcile.projection import Projection
from appliance.reconcile.proof import Proof
from appliance.reconcile.reservations import Reservations
from appliance.reconcile.set_aside import SetAside
from appliance.reconcile.silent_programs import SilentPrograms
from appliance.reconcile.subnet_switches import SubnetSwitches
from appliance.reconcile.updates import Updates
from appliance.reconcile.upkeep import Upkeep
from appliance.reconcile.watch import Watch
from appliance.reconcile.wishes import Wishes
from appliance.setup.left import take_up
from appliance.state import writing
from appliance.store.store import Store


async def build(
    path: Path,
    found: Fit,
    store: Store,
    bus: Bus,
    passed: Sequence[socket.socket],
) -> Assembly:
    """Everything, with what DHCP and DNS have to know in memory; raises ApplianceError for what the computer lacks.

    ``path`` is the configuration's file. ``found`` is what of it can be served; ``passed`` are the console's sockets
    where it is not to listen for itself.
    """
    config = found.config
    await follow_at_start(store, Privileged())
    await take_up(store, bus, config.site.state_dir, time.time())  # before anything reads how subnets are served
    authority = certificates.authority(config.site.state_dir, time.time())
    on = replace(ground(config, found.interfaces, store, bus, authority), config_path=path, written=found.written)
    switches = SubnetSwitches(store, bus, on.clock, on.subnets, on.fixed)
    await switches.restore()
    projection = _projection(on)
    observations = Observations(store, bus, on.clock, projection)
    with writing(on.state / "images"):
        imports = Imports(store, bus, on.state, on.clock)
    files = await netboot.boot_files(on)
    fleet = netboot.stored_fleet(on, files, imports)
    await fleet.boots.remember_disks()
    await projection.refresh()

    routers = {each.interface: RouterAnswers(each.interface) for each in on.subnets if each.remote is None}
    programs = BootPrograms(
        projection.boots_with, lambda address: dhcp.holder(address), observations.of_interface, on.clock, on.subnets
    )
    dhcp = netboot.dhcp_server(on, routers, projection, observations, programs.choose)
    out = await lookout(on, dhcp, observations)
    switches.serve_with((dhcp, out), out.look)
    watch = Watch(store, bus, on.clock, on.subnets, dhcp.holder, projection.arrived)
    watch.suspect = out.suspect
    observations.watch, observations.programs = watch, programs
    proof = Proof(on.subnets, dhcp.holder, lambda mac: projection.machine_of.get(mac))

    kept_names = KeptNames(store, bus, on.zone)
    reservations = Reservations(store, bus, on.clock, on.subnets, dhcp.set_reservations, dhcp.set_options)

    async def apply() -> None:
        await reservations.refresh()
        await kept_names.refresh()

    await apply()
    wishes = Wishes(store, bus, on.clock, on.subnets)
    network = NetworkWishes(store, bus, on.clock, on.subnets, on.zone.domain, dhcp.forget, apply)
    own = OwnNetworks(store, bus, on.clock, Privileged(), served(config))
    aside = SetAside(
        store, bus, on.clock, found.aside, lambda: fit(found.written, first_addresses()).aside, on.again.set
    )
    links = LinkWatch(store, bus, on.clock, dict.fromkeys(each.heard_on for each in on.subnets))
    links.arrived.append(own.look)
    asked = NetworkParts(network, switches, own, aside, Standings(switches, out, on.subnets, links))
    power = power_parts(on)
    storage = Storage(on)
    updates = Updates(store, bus, on.clock, on.state, Privileged())
    intake = Intake(store, bus, on.clock, imports)
    recipes = recipe_parts(on, intake)
    vms = VirtualMachines(on, storage, intake.isos)
    first = first_start(on)
    site, site_loops = console(on, wishes, asked, power.wishes, intake, recipes, passed, updates, storage, vms, first)
    watched = replace(fleet, watch=watch, programs=programs)
    loops: dict[str, Run] = {
        "projection": projection.run,
        "observations": observations.run,
        "reservations": reservations.run,
        "kept names": kept_names.run,
        "sightings": watch.run,
        "other DHCP servers": out.run,
        "own networks": own.run,
        "subnets set aside": aside.run,
        "links": links.run,
        "silent programs": SilentPrograms(programs).run,
        **site_loops,
        "updates": updates.run,
        "intake": intake.run,
        **({"set-up": first.conduct.run} if first else {}),
        **power.loops,
        **storage.loops(),
        **vms.loops(),
    }
    arriving = {**IntakeJobs(intake, on.clock).kinds(), **IsoJobs(intake, on.clock).kinds(), **recipes.jobs()}
    lasting = {**storage.jobs(), **vms.jobs()}
    jobs = {**job_kinds(wishes, on.clock), **power.jobs, **updates.jobs(), **arriving, **lasting}
    return Assembly(
        servers=tuple(netboot.servers(on, routers, dhcp, fleet.boots, projection, observations)),
        sites=(*netboot.sites(on, files, watched, projection, observations, proof), site),
        loops={**_loops(on, jobs), **loops},
        imports=imports,
        isos=intake.isos,
        fingerprint=authority.fingerprint,
        again=on.again,
    )


def _projection(on: Ground) -> Projection:
    def publish(name: Name) -> None:
        on.zone.publish(name.owner, name.name, name.address, name.until, name.kind)

    return Projection(on.store, on.bus, publish, on.zone.withdraw)


def _loops(on: Ground, jobs: Mapping[str, JobKind]) -> dict[str, Run]:
    """What runs as long as the daemon and is given to nobody else."""
    return {
        "reconcile": ReconcileLoop(on.store, on.bus, on.bell, on.clock).run,
        "jobs": Jobs(on.store, on.bus, on.clock, jobs).run,
        "disk": on.stuck.run,
        "room": on.room.run,
        "presence": on.presence.run,
        "bell": lambda: on.bell.listen(on.bus),
        "upkeep": Upkeep(on.store, on.bus, on.clock).run,
        "certificates": lambda: server_tls.keep_renewed(on.certificates, on.clock),
        **on.instruments.loops(),
    }
