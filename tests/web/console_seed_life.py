"""What goes on in the seeded fleet: tasks, a rescue, leases, tags, what kernels said, colleagues of other roles."""

import math
import sqlite3
from dataclasses import replace
from ipaddress import IPv4Address

from appliance.lease import Lease, LeaseState
from appliance.machine import Machine, MachineId, State
from appliance.metrics.history import History, Source
from appliance.rescue import Rescue
from appliance.sighting import ForeignServer, Sighting, Stage
from appliance.store import attempts, boot_messages, deployments, leases, machines, sightings, tasks
from appliance.store.boot_messages import BootMessages
from appliance.store.tasks import Item
from appliance.task import Before, Status, Task, TaskId, begun, ended

KERNEL_SAID = """[    0.000000] Linux version 6.12.48+deb13-amd64 (debian-kernel@lists.debian.org)
[    0.000000] Command line: console=tty0 console=ttyS0,115200n8 loglevel=4 panic=30
[    0.413201] ACPI: Added _OSI(Module Device)
[    1.902113] tg3 0000:04:00.0 eth0: Link is up at 1000 Mbps, full duplex
[    2.310442] ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300)
[    2.311020] ata1.00: ATA-11: <script>document.title='owned'</script>, max UDMA/133
"""
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8m3n0aQ0sOAO1VtHNnBq0b8yq1j2x8fS7PfYjv0k1d"


def live(db: sqlite3.Connection, ids: dict[str, MachineId], now: float) -> None:
    """Add all of it."""
    for number, machine in enumerate(machines.every(db)):
        machines.put(db, replace(machine, tags=("rack-7", "gpu") if number % 4 == 0 else ("rack-8",)))
        _task(db, machine, now)
        _lease(db, machine, number, now)
    _rescued(db, ids["node-24"], now)
    _bulk(db, now)
    told = BootMessages(boot_messages.STACK, now - 3600, KERNEL_SAID)
    boot_messages.put(db, ids["node-18"], "boot-1", told)
    _strangers(db, now)


def _task(db: sqlite3.Connection, machine: Machine, now: float) -> None:
    """What follows the live attempt of a machine, or what has failed on it."""
    deployment, attempt = deployments.of_machine(db, machine.id), attempts.live_of(db, machine.id)
    if deployment is None or not (attempt or machine.state is State.FAILED):
        return
    action = {"release": "release"}.get(attempt.kind if attempt else "", "start")
    made = Task(
        TaskId(0), f"deployment.{action}", f"{action.capitalize()} {deployment.name} on {machine.name}", "admin",
        now - 72, machine=machine.id, deployment=deployment.id, before=Before(),
    )  # fmt: skip
    stored = begun(tasks.add(db, made), attempt.id if attempt else None)
    if attempt is None:
        stored = ended(stored, Status.FAILED, now - 30, machine.failed_code, machine.failed_reason)
    tasks.put(db, stored)


def _bulk(db: sqlite3.Connection, now: float) -> None:
    made = Task(
        TaskId(0), "machines.bulk", "Take 3 machines out of maintenance", "grace", now - 900, job=True,
        arguments={"action": "maintenance"},
    )  # fmt: skip
    stored = tasks.add(db, made)
    items = [
        Item("m0005", "node-16", "done"),
        Item("m0006", "node-17", "done"),
        Item("m0010", "node-21", "failed", "machine-busy", "node-21 is deploying; wait until that has ended"),
    ]
    tasks.add_items(db, stored.id, items)
    tasks.note(db, stored.id, now - 899, "2 of 3 done, 1 failed")
    tasks.put(db, ended(begun(stored), Status.DONE, now - 890))


def _lease(db: sqlite3.Connection, machine: Machine, number: int, now: float) -> None:
    address = IPv4Address(machine.address or "10.77.0.250")
    lease = Lease(machine.macs[0], address, "br0", b"", machine.name, now - 600, now + 3000 + number, LeaseState.BOUND)
    leases.put(db, [lease])


def _strangers(db: sqlite3.Connection, now: float) -> None:
    """Computers that came only so far, and another DHCP server."""
    sightings.put_servers(
        db, [ForeignServer("br0", "10.77.0.254", now - 7200, now - 300, "00:1d:aa:00:00:fe", "52:54:00:b2:00:01")], 0.0
    )
    heard = [
        Sighting("52:54:00:b2:00:01", "br0", now - 900, now - 60, Stage.OFFERED, now - 60, 4, 2, firmware="uefi-x64",
                 vendor_class="PXEClient:Arch:00007:UNDI:003016", other_server="10.77.0.254", other_at=now - 60),
        Sighting("52:54:00:b2:00:02", "br0", now - 700, now - 90, Stage.PROGRAM, now - 90, 6, 3, 1, firmware="bios",
                 vendor_class="PXEClient:Arch:00000", address="10.77.0.88", file="undionly.kpxe", boots_at=now - 90),
        Sighting("a4:83:e7:00:00:03", "br0", now - 5000, now - 5, Stage.LEASED, now - 5, 2, 1, firmware="none",
                 hostname="laptop", vendor_class="MSFT 5.0", address="10.77.0.90"),
    ]  # fmt: skip
    sightings.take(db, heard)


def _rescued(db: sqlite3.Connection, key: MachineId, now: float) -> None:
    machine = machines.get(db, key)
    rescue = Rescue((HOST_KEY,), since=now - 240, address=machine.address, host_keys=(HOST_KEY,))
    machines.put(db, replace(machine, state=State.RESCUE, rescue=rescue))


def past(now: float) -> History:
    """An hour of figures that end at ``now``, in seconds of the loop's clock."""
    state = dict.fromkeys(("dhcp", "boot", "dns"), 0.0) | {"cpu": 0.02, "memory": 71e6, "lag": 0.002}
    grown = ("dhcp", "boot", "dns")
    history = History({name: Source(lambda name=name: state[name], name in grown) for name in state})
    for number in range(360):
        wave = 1 + math.sin(number / 9)
        state.update(dhcp=state["dhcp"] + 20 * wave, dns=state["dns"] + 90 * wave, boot=state["boot"] + 3e7 * wave**3)
        state.update(cpu=0.01 + 0.02 * wave, memory=71e6 + number * 8e3, lag=0.002 + 0.004 * (number % 40 == 0))
        history.sample(now - (360 - number) * 10.0)
    return history
