"""A fleet to look at: machines in every state, deployments, images, events. Some of what machines say is hostile."""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

from console_seed_life import live, past
from console_seed_power import switched
from console_seed_storage import seed_storage, storage_over
from console_seed_vms import VmsOnPaper, figures_over, seed_vms, vms_over
from network_parts import network_parts
from roots_seed import put_asking

from appliance.catalogue import Image, ImageId, Kernel, KernelId
from appliance.certificates import authority
from appliance.console_tls import ConsoleTls
from appliance.deployment import Deployment, DiskIdentity, Installed, Requirements, Wanted
from appliance.events import Bus, Event, Progress
from appliance.iso import Iso, IsoId
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.netboot.dhcp.subnet import AddressRange, Subnet
from appliance.reconcile.imports import Imports
from appliance.reconcile.network_wishes import NewRecord, NewReservation
from appliance.reconcile.seeds import Seeds
from appliance.reconcile.wishes import Wishes
from appliance.server_tls import ServerTls
from appliance.store import attempts, catalogue, deployments, events, isos, machines
from appliance.store.sealing import KEY_BYTES, Sealer
from appliance.store.store import Store
from appliance.web.services import Services
from appliance.wiping import Wiped
from appliance.workflow import Attempt, AttemptId, DeploymentId, Kind, Status, begin, steps_for
from tests.people import ADMIN

NOW = 1_795_200_000.0
HOSTILE = "<script>document.title='owned'</script>"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuTLVbhy3jUWqeSsBzZxTHfDGDCvGhsJZbgbCmCDyGE admin@laptop"
RANGE = AddressRange(IPv4Address("10.77.0.50"), IPv4Address("10.77.0.200"))
SUBNET = Subnet("br0", IPv4Interface("10.77.0.1/24"), ranges=(RANGE,))
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8m3n0aQ0sOAO1VtHNnBq0b8yq1j2x8fS7PfYjv0k1d"
WIPED = Wiped(
    NOW - 86400, "S4EVNX0R00013", "", "Samsung PM893", 480_103_981_056, "automatic", "discard", True, 95.0, 36_000_000,
    False, True, 4096, (f"ATA secure erase: {HOSTILE}",),
)  # fmt: skip


def services(store: Store, state_dir: Path, clock: Any = lambda: NOW) -> Services:
    """What pages are given, over a store."""
    bus, names = Bus(), ["appliance.lab.test", "127.0.0.1"]
    own = ServerTls(authority(state_dir, clock()), names, clock())
    storage = storage_over(store, bus, clock)
    vms, now = vms_over(store, bus, clock, storage), asyncio.get_running_loop().time()
    return Services(
        store=store,
        bus=bus,
        wishes=Wishes(store, bus, clock, [SUBNET]),
        **network_parts(store, bus, clock, [SUBNET]),
        imports=Imports(store, bus, state_dir, clock),
        seeds=Seeds(store, Sealer(b"k" * KEY_BYTES)),
        clock=clock,
        state_dir=state_dir,
        config_path=state_dir / "appliance.toml",
        domain="lab.test",
        fingerprint="5f" * 32,
        history=past(now),
        config={
            "site": {"state_dir": str(state_dir), "domain": "lab.test"},
            "subnet": [{"interface": "br0", "mode": "authoritative", "ranges": ["10.77.0.50-10.77.0.200"]}],
            "dns": {"enabled": True, "port": 53, "forwarders": []},
            "web": {"listen": ["127.0.0.1:8443"]},
        },
        tls=ConsoleTls(own, state_dir, names, clock),
        storage=storage,
        vms=vms,
        vm_figures=figures_over(store, bus, clock, vms, now),
    )


def disk(name: str, serial: str, size: int, summary: str = "") -> dict[str, Any]:
    """A disk of an inventory; without summary it is empty."""
    partitions = [
        {"number": 1, "bytes": 536870912, "type": "EFI system", "filesystem": "vfat", "label": "ESP", "uuid": "A1B2"},
        {"number": 2, "bytes": size - 536870912, "type": "Linux", "filesystem": "ext4", "label": "root", "uuid": "c3"},
    ]
    return {
        "name": name,
        "path": f"/dev/disk/by-path/pci-0000:00:1f.2-ata-{name}",
        "model": "Samsung PM893" if size < 10**12 else "WDC WD4003FRYZ",
        "serial": serial,
        "wwn": f"0x5002538{abs(hash(serial)) % 10**9:09d}",
        "bytes": size,
        "sector_size": 512,
        "physical_sector_size": 4096,
        "rotational": size >= 10**12,
        "transport": "sata",
        "read_only": False,
        "smart": "passed",
        "content": {
            "empty": not summary,
            "fingerprint": f"print-{serial}",
            "summary": summary or "empty",
            "partitions": partitions if summary else [],
        },
    }


def inventory(
    mac: str, firmware: str, disks: Sequence[dict[str, Any]], product: str, memory_gib: int
) -> dict[str, Any]:
    """An inventory as the agent sends it."""
    gib = 1 << 30
    return {
        "firmware": firmware,
        "secure_boot": False if firmware == "uefi" else None,
        "boot_mac": mac,
        "system": {
            "manufacturer": "Dell Inc.",
            "product": product,
            "version": "",
            "serial": f"SN{mac[-5:].replace(':', '').upper()}",
            "uuid": f"4c4c4544-0044-4210-8052-{mac.replace(':', '')}",
            "sku": "0A52",
        },
        "board": {"manufacturer": "Dell Inc.", "product": "0X3D66", "serial": f"..{mac[-8:].replace(':', '')}.."},
        "bios": {"vendor": "Dell Inc.", "version": "2.19.1", "date": "06/04/2024"},
        "chassis": {"type": "Rack Mount Chassis", "serial": "CH" + mac[-2:], "asset_tag": "R7-U12"},
        "cpu": {
            "model": "Intel(R) Xeon(R) Silver 4310 CPU @ 2.10GHz",
            "sockets": 1,
            "cores": 12,
            "threads": 24,
            "mhz": 2100,
            "architecture": "x86_64",
            "flags": ["vmx", "sse4_2"],
        },
        "memory": {
            "bytes": memory_gib * gib,
            "modules": [
                {
                    "locator": f"DIMM A{slot}",
                    "bytes": memory_gib * gib // 2,
                    "type": "DDR4",
                    "speed_mhz": 2667,
                    "manufacturer": "Hynix",
                    "serial": f"8030{slot}C1F",
                    "part": "HMA84GR7JJR4N-WM",
                }
                for slot in (1, 2)
            ],
        },
        "disks": list(disks),
        "nics": [
            {
                "name": "eno1",
                "mac": mac,
                "driver": "tg3",
                "speed_mbps": 1000,
                "link": True,
                "pci": "0000:04:00.0",
                "addresses": ["10.77.0.117/24"],
            },
            {
                "name": "eno2",
                "mac": mac[:-2] + "fe",
                "driver": "tg3",
                "speed_mbps": None,
                "link": False,
                "pci": "0000:04:00.1",
                "addresses": [],
            },
        ],
        "pci": [
            {
                "slot": "0000:00:1f.2",
                "class": "SATA controller",
                "vendor": "Intel Corporation",
                "device": "C620 Series SATA Controller",
                "vendor_id": "8086",
                "device_id": "a182",
                "driver": "ahci",
            },
            {
                "slot": "0000:04:00.0",
                "class": "Ethernet controller",
                "vendor": "Broadcom",
                "device": "NetXtreme BCM5720",
                "vendor_id": "14e4",
                "device_id": "165f",
                "driver": "tg3",
            },
        ],
        "bmc": {"address": "10.77.1.12", "mac": mac[:-2] + "b0"},
        "kernel": "6.12.48+deb13-amd64",
        "agent": "0.1.0",
    }


@dataclass(frozen=True, slots=True)
class Row:
    """One machine of the seed."""

    name: str
    state: State
    firmware: str = "uefi"
    maintenance: bool = False
    seen: float | None = 20.0
    """Seconds ago."""
    product: str = "PowerEdge R450"
    memory: int = 32
    content: str = ""
    deployment: str = ""
    kind: Kind | None = None
    """A live attempt of this kind,"""
    index: int = 0
    """in this step,"""
    progress: float = 0.0
    """this far."""
    reason: str = ""
    failed_from: State | None = None


ROWS = (
    Row("node-11", State.ACTIVE, deployment="web-1"),
    Row("node-12", State.ACTIVE, deployment="web-2", seen=35),
    Row("node-13", State.ACTIVE, "bios", deployment="db-1", seen=1900, memory=128),
    Row("node-14", State.DEPLOYING, deployment="web-3", kind=Kind.DEPLOY, index=1, progress=0.43, seen=2),
    Row("node-15", State.STARTING, "bios", deployment="ci-1", kind=Kind.START, index=1, progress=0.0, seen=9),
    Row("node-16", State.IDLE, memory=16),
    Row("node-17", State.IDLE, "bios", content="ext4 'data', Debian GNU/Linux 12"),
    Row("node-18", State.IDLE, maintenance=True, product=f"OptiPlex {HOSTILE}"),
    Row("node-19", State.FAILED, deployment="cache-1", reason="writing the image: SHA-256 of the download differs",
        failed_from=State.DEPLOYING, seen=160),
    Row("node-20", State.STOPPED, deployment="build-1", seen=12),
    Row("node-21", State.BROKEN, maintenance=True, seen=86400 * 3),
    Row("node-22", State.DISCOVERED, maintenance=True, seen=8),
    Row("node-23", State.RELEASING, "bios", deployment="old-1", kind=Kind.RELEASE, index=1, progress=0.0, seen=400),
    Row("node-24", State.IDLE, maintenance=True, memory=64, seen=30),
)  # fmt: skip


async def seed(given: Services, clock: Any = lambda: NOW) -> dict[str, MachineId]:
    """Fill the store, with a little content for each image; the machines' ids by name."""
    ids = await given.store.write(lambda db: _seed(db, clock()))
    for image in await given.store.read(catalogue.images):
        given.imports.image_path(image.id).write_bytes(b"content")
    printer = NewReservation("00:11:32:aa:00:01", "10.77.0.20", "printer", "2nd floor")
    await given.network_wishes.reserve(printer, ADMIN)
    await given.network_wishes.add_name(NewRecord("git", "A", "10.77.0.21"), ADMIN)
    await seed_storage(given.store, given.storage(), clock())
    assert isinstance(given.vms, VmsOnPaper)
    await seed_vms(given.store, given.vms, clock())
    return ids


def _seed(db: sqlite3.Connection, now: float) -> dict[str, MachineId]:
    image = catalogue.add_image(
        db,
        Image(
            ImageId(0),
            "debian-13",
            "Debian 13 with sshd",
            "raw.zst",
            2_147_483_648,
            187_000_000,
            "ab" * 32,
            512,
            now - 9e5,
        ),
    )
    catalogue.add_image(
        db, Image(ImageId(0), "rocky-10", "", "raw", 8_589_934_592, 8_589_934_592, "cd" * 32, 512, now - 4e5)
    )
    isos.add(
        db,
        Iso(IsoId(0), "debian-13-netinst", "installs Debian 13", 784_334_848, "ef" * 32, now - 8e5,
            "Debian 13.1.0 amd64 n", ("bios", "uefi")),
    )  # fmt: skip
    isos.add(db, Iso(IsoId(0), "virtio-win", "", 790_482_944, "01" * 32, now - 3e5, "virtio-win-0.1.271"))
    catalogue.put_kernel(
        db,
        Kernel(KernelId(0), "maintenance", "6.12.48+deb13-amd64", "console=tty0 console=ttyS0,115200n8", "aa" * 32,
               "bb" * 32, now - 9e5, builtin=True),
    )  # fmt: skip
    ids = {}
    for number, row in enumerate(ROWS):
        ids[row.name] = _machine(db, number, row, image, now)
    unused = Deployment(
        DeploymentId(0), "batch-1", image.id, now - 300, requirements=Requirements(cpus=8, memory_bytes=16 << 30)
    )
    deployments.add(db, unused)
    live(db, ids, now)
    switched(db, ids, now)
    ids["node-77"] = put_asking(db, now)
    return ids


def _machine(db: sqlite3.Connection, number: int, row: Row, image: Image, now: float) -> MachineId:
    mac = MacAddress(f"52:54:00:a1:0{number // 10}:{number % 10 + 0x10:02x}")
    machine = Machine(
        id=MachineId(f"m{number:04d}"),
        name=row.name,
        state=row.state,
        macs=(mac,),
        created=now - 86400 * 9 + number * 60,
        maintenance=row.maintenance,
        uuid=f"4c4c4544-0044-4210-8052-{mac.replace(':', '')}",
        serial=f"SN{number:04d}",
        firmware=row.firmware,
        address=f"10.77.0.{110 + number}",
        last_seen=None if row.seen is None else now - row.seen,
        failed_from=row.failed_from,
        failed_code="image-checksum" if row.reason else "",
        failed_reason=row.reason,
        notes="Rack 7, unit 12. Ask the storage team before it is switched off." if row.name == "node-13" else "",
        wiped=(WIPED,) if row.name == "node-13" else (),
    )
    machines.put(db, machine)
    disks = [disk("sda", f"S4EVNX0R{number:05d}", 480_103_981_056, row.content)]
    if number % 3 == 0:
        disks.append(disk("sdb", f"WD-{number:04d}K7", 4_000_787_030_016, "LVM volume group 'backup'"))
    if row.state is not State.DISCOVERED:
        machines.put_inventory(db, machine.id, inventory(mac, row.firmware, disks, row.product, row.memory))
    deployment = _deployment(db, row, machine, image, now) if row.deployment else None
    if row.kind:
        attempts.put(db, _attempt(row, machine, deployment, now))
    for event in _story(row, machine, deployment, now):
        events.add(db, event)
    return machine.id


def _deployment(db: sqlite3.Connection, row: Row, machine: Machine, image: Image, now: float) -> Deployment:
    target = DiskIdentity(
        f"S4EVNX0R{int(machine.id[1:]):05d}", None, 480_103_981_056, "Samsung PM893", "p", "empty", owned=True
    )
    return deployments.add(
        db,
        Deployment(
            DeploymentId(0),
            row.deployment,
            image.id,
            now - 86400 * 2,
            ssh_keys=(KEY,),
            wipe_on_release=row.deployment == "db-1",
            wanted=Wanted.STOPPED if row.state is State.STOPPED else Wanted.RUNNING,
            machine=machine.id,
            disk=target,
            installed=None if _overwritten(row) else Installed(1, target, None, "c3"),
            host_keys=(HOST_KEY,),
        ),
    )


def _overwritten(row: Row) -> bool:
    """Whether a deploy has begun to write the disk, and has not written all of it."""
    return row.kind is Kind.DEPLOY or row.reason.startswith("writing the image")


def _attempt(row: Row, machine: Machine, deployment: Deployment | None, now: float) -> Attempt:
    assert row.kind is not None
    names = steps_for(row.kind, system_runs=row.kind is Kind.RELEASE)
    made = begin(
        AttemptId(f"a-{machine.id}"), row.kind, machine.id, deployment.id if deployment else None, names,
        nonce="n", armed=True, now=now - 72,
    )  # fmt: skip
    return replace(made, index=row.index, progress=row.progress, status=Status.LIVE)


def _story(row: Row, machine: Machine, deployment: Deployment | None, now: float) -> list[Event]:
    """What happened to a machine, oldest first."""
    begun = now - 3600 - int(machine.id[1:]) * 37

    def event(kind: str, after: float, text: str, reason: str = "", **detail: Any) -> Event:
        return Event(kind, begun + after, text, reason, machine.id, deployment.id if deployment else None, detail)

    told = [
        event("dhcp.seen", 0, f"DHCP discover from {machine.macs[0]}", vendor_class="PXEClient:Arch:00007"),
        event("machine.new", 0.1, f"{machine.name} was seen for the first time", "no machine has this MAC or UUID"),
        event("dhcp.lease", 0.4, f"leased {machine.address}", "first free address of the range", host_name=HOSTILE),
        event("tftp.sent", 3, "sent snponly.efi", "its firmware is UEFI on x86-64"),
        event(
            "script.served", 6, "sent the maintenance stack", "no deployment is assigned", script="#!ipxe\nkernel ..."
        ),
        event("agent.started", 48, "the agent started"),
        event("inventory.taken", 55, "inventory taken"),
        event("machine.state", 55.2, f"{machine.name} is idle"),
    ]
    if deployment:
        told.append(event("attempt.started", 900, f"began to deploy {deployment.name}", "a user asked for it"))
    if row.reason:
        told.append(event("attempt.failed", 990, f"deploy {row.deployment} failed: {row.reason}", "the agent said so"))
    return told


def a_progress(machine: MachineId, share: float) -> Progress:
    """Progress of writing an image."""
    return Progress(machine, "write-image", share, "writing the image")
