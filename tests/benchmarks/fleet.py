"""A large fleet in a store, as years of use would leave it; and the services of an appliance over a store."""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

from appliance.catalogue import Image, ImageId, Kernel, KernelId
from appliance.deployment import Deployment, DiskIdentity, Installed, Wanted
from appliance.events import Bus, Event
from appliance.lease import Lease, LeaseState
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.netboot.dhcp.rules import Rules
from appliance.netboot.dhcp.served import ServedSubnets
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.dns.zone import Zone
from appliance.privileged.client import Privileged
from appliance.reconcile.imports import Imports
from appliance.reconcile.kept_names import KeptNames
from appliance.reconcile.network_views import NetworkViews
from appliance.reconcile.network_wishes import NetworkWishes
from appliance.reconcile.own_networks import OwnNetworks
from appliance.reconcile.power_wishes import PowerWishes
from appliance.reconcile.seeds import Seeds
from appliance.reconcile.subnet_switches import SubnetSwitches
from appliance.reconcile.wishes import Wishes
from appliance.store import attempts, catalogue, deployments, leases, machines
from appliance.store.documents import dump
from appliance.store.sealing import KEY_BYTES, Sealer
from appliance.store.store import Store
from appliance.web.services import Services
from appliance.workflow import Attempt, AttemptId, DeploymentId, Kind, Status, begin, steps_for

NOW = 1_800_000_000.0
SUBNET = Subnet("br0", IPv4Interface("10.64.0.1/10"))
KINDS = ("machine.state", "dhcp.lease", "script.served", "http.sent", "step.done")
"""Of the events, in turn."""


def services_over(store: Store, state_dir: Path, clock: Callable[[], float]) -> Services:
    """An appliance that serves nothing but its console."""
    bus = Bus()
    zone = Zone("lab.test", [SUBNET.address.network], "appliance", [IPv4Address(SUBNET.address.ip)], 60)
    names = KeptNames(store, bus, zone)
    return Services(
        store=store,
        bus=bus,
        wishes=Wishes(store, bus, clock, [SUBNET]),
        network=NetworkViews(store, clock, [SUBNET], [], zone),
        network_wishes=NetworkWishes(store, bus, clock, [SUBNET], "lab.test", apply=names.refresh),
        power_wishes=PowerWishes(store, bus, clock, Sealer(b"k" * KEY_BYTES)),
        own_networks=OwnNetworks(store, bus, clock, Privileged(Path("/nonexistent/helper.sock"))),
        switches=SubnetSwitches(store, bus, clock, ServedSubnets([SUBNET]), {SUBNET.interface: Rules()}),
        imports=Imports(store, bus, state_dir, clock),
        seeds=Seeds(store, Sealer(b"k" * KEY_BYTES)),
        clock=clock,
        state_dir=state_dir,
        domain="lab.test",
        fingerprint="ab" * 32,
        config={},
    )


async def fill(store: Store, *, machines: int, deployments: int, events: int, leases: int, now: float = NOW) -> None:
    """Store so many of each; the first ``deployments`` machines have one on them."""
    await store.write(_put_catalogue)
    for numbers in _slices(machines, 500):
        await store.write(lambda db, numbers=numbers: _put_machines(db, numbers, deployments, now))
    for numbers in _slices(events, 10_000):
        await store.write(lambda db, numbers=numbers: _put_events(db, numbers, machines, now - events))
    await store.write(lambda db: _put_leases(db, leases, now))


def _slices(many: int, size: int) -> Iterable[range]:
    return (range(start, min(start + size, many)) for start in range(0, many, size))


def _put_catalogue(db: sqlite3.Connection) -> None:
    for number in range(40):
        catalogue.add_image(
            db, Image(ImageId(0), f"image-{number}", f"Debian {number}", "raw", 4 << 30, 1 << 30, "ab" * 32, 512, NOW)
        )
        catalogue.put_kernel(db, Kernel(KernelId(0), f"kernel-{number}", f"6.{number}", "", "ab" * 32, None, NOW))


def machine_id(number: int) -> MachineId:
    """The id of the fleet's machine with this number."""
    return MachineId(f"{number:016x}")


def _put_machines(db: sqlite3.Connection, numbers: range, deployed: int, now: float) -> None:
    for number in numbers:
        made = _machine(number, deployed, now)
        machines.put(db, made)
        machines.put_inventory(db, made.id, inventory(number))
        deployment = _put_deployment(db, made, number, now) if number < deployed else None
        kind = Kind.DEPLOY if deployment else Kind.WIPE
        steps = steps_for(kind, system_runs=False)
        attempt = begin(AttemptId(f"a{number}"), kind, made.id, deployment, steps, nonce="n", armed=True, now=now - 60)
        live = number % 200 == 0
        attempts.put(db, attempt if live else _ended(attempt, now))


def _ended(attempt: Attempt, now: float) -> Attempt:
    return replace(attempt, status=Status.DONE, ended=now)


def _machine(number: int, deployed: int, now: float) -> Machine:
    state = State.ACTIVE if number < deployed else State.IDLE if number % 10 else State.DISCOVERED
    return Machine(
        machine_id(number),
        f"node-{number}",
        State.FAILED if number % 997 == 0 else state,
        (parse_mac(f"52:54:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"),),
        now - number,
        maintenance=number % 3 == 0,
        uuid=f"12345678-1234-1234-1234-{number:012x}",
        serial=f"SER{number}",
        firmware="uefi" if number % 4 else "bios",
        address=str(IPv4Address("10.65.0.0") + number),
        last_seen=now - number % 400,
        notes=f"in rack {number % 50}, asked for by somebody in some department" if number % 5 == 0 else "",
        tags=tuple(sorted({f"rack-{number % 50}", "prod" if number % 2 else "test"})),
    )


def _put_deployment(db: sqlite3.Connection, machine: Machine, number: int, now: float) -> DeploymentId:
    disk = DiskIdentity(serial=f"S{number}", wwn=None, bytes=10**12, model="disk", content="f", summary="", empty=True)
    made = deployments.add(
        db,
        Deployment(
            DeploymentId(0),
            f"web-{number}",
            ImageId(number % 40 + 1),
            now - number,
            wanted=Wanted.RUNNING,
            machine=machine.id,
            disk=disk,
            ssh_keys=("ssh-ed25519 " + "A" * 68 + " somebody@example",),
            installed=Installed(generation=1, disk=disk, esp_partuuid="ab", root_fsuuid="cd"),
        ),
    )
    return made.id


def inventory(number: int) -> dict[str, Any]:
    """Of the size that servers' inventories have: some 12 kB."""
    content = {"empty": False, "fingerprint": "f" * 64, "summary": "GPT with ext4 'root'", "disk_guid": "g" * 36}
    partition = {
        "number": 1,
        "bytes": 1 << 30,
        "type": "linux",
        "filesystem": "ext4",
        "label": "root",
        "uuid": "u" * 36,
    }
    disk = {"model": "SAMSUNG MZ7LH960", "bytes": 960 * 10**9, "sector_size": 512, "transport": "sata", "wwn": "w" * 18}
    module = {"locator": "A1", "bytes": 32 << 30, "type": "DDR4", "speed_mhz": 2933, "manufacturer": "Micron"}
    device = {"slot": "0000:3b:00.0", "class": "Ethernet controller", "vendor": "Intel Corporation", "device": "X710"}
    return {
        "firmware": "uefi",
        "system": {"manufacturer": "Dell Inc.", "product": f"PowerEdge R{640 + number % 3 * 10}", "serial": "x"},
        "cpu": {"model": "Intel Xeon Gold 6248", "threads": 8 << number % 5, "flags": [f"flag{n}" for n in range(120)]},
        "memory": {"bytes": (8 + number % 64) << 30, "modules": [module] * 16},
        "disks": [
            {
                **disk,
                "name": f"sd{n}",
                "serial": f"D{number}-{n}",
                "content": {**content, "partitions": [partition] * 4},
            }
            for n in range(4)
        ],
        "nics": [
            {"name": f"eno{n}", "mac": "52:54:00:00:00:01", "driver": "i40e", "speed_mbps": 10**4} for n in range(4)
        ],
        "pci": [device] * 40,
    }


def _put_events(db: sqlite3.Connection, numbers: range, fleet: int, start: float) -> None:
    made = [
        Event(
            KINDS[number % len(KINDS)],
            start + number,
            f"was leased 10.65.{number >> 8 & 255}.{number & 255} or something like that",
            "because it asked",
            machine_id(number % fleet),
            detail={"mac": "52:54:00:00:00:01", "from": "idle", "to": "deploying"},
        )
        for number in numbers
    ]
    db.executemany(
        "INSERT INTO events(at, kind, machine, deployment, doc) VALUES(?,?,?,?,?)",
        [(each.at, each.kind, each.machine, each.deployment, dump(each)) for each in made],
    )


def _put_leases(db: sqlite3.Connection, many: int, now: float) -> None:
    start = IPv4Address("10.70.0.0")
    made = [
        Lease(
            f"52:54:01:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            start + number,
            "br0",
            b"",
            f"host-{number}",
            now - number,
            now + 3600,
            LeaseState.BOUND,
        )
        for number in range(many)
    ]
    leases.put(db, made)
