"""A machine whose root comes over the network, and that has restarted by itself."""

import sqlite3
from dataclasses import replace

from appliance.catalogue import Image, ImageId
from appliance.deployment import Deployment, Installed, Wanted
from appliance.export import Export, ExportId, ExportKind
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.root_volume import Grant, RootVolume
from appliance.store import catalogue, deployments, machines, root_volumes, roots, tokens
from appliance.store.tokens import TOKEN_SECONDS, BootToken
from appliance.volume import PoolId, VolumeId
from appliance.workflow import AttemptId, DeploymentId


def put_live_image(db: sqlite3.Connection, size: int = 400_000_000) -> Image:
    """An image that runs from memory."""
    image = Image(ImageId(0), "live-13", "Debian 13 for memory", "squashfs", size, size, "ef" * 32, 512, 5.0)
    return catalogue.add_image(db, image)


def put_root_volume(db: sqlite3.Connection, of: DeploymentId, pool: PoolId, machine: MachineId) -> RootVolume:
    """A root volume that is exported to this machine by iSCSI."""
    key, volume = ExportId("a1" * 8), VolumeId("b2" * 8)
    export = Export(key, ExportKind.ISCSI, volume, "10.77.0.50", "iqn.2026-11.test.lab:machine-x")
    grant = Grant(export, "10.77.0.1", machine, AttemptId("a"), f"iqn.2026-11.test.lab:{key}", 1000.0)
    root = RootVolume(volume, of, pool, "root-web-1", 8 << 30, AttemptId("a"), 900.0, "1234-5678", grant=grant)
    root_volumes.put(db, root)
    root_volumes.put_secret(db, root, b"sealed secret")
    return root


def put_asking(db: sqlite3.Connection, now: float, name: str = "kiosk-1", number: int = 77) -> MachineId:
    """A machine that waits to be let in to the root of this deployment, since a minute ago."""
    known = {each.name: each for each in catalogue.images(db)}
    image = known.get("live-13") or put_live_image(db)
    machine = Machine(
        MachineId(f"r{number}"), f"node-{number}", State.ACTIVE, (parse_mac(f"52:54:00:00:77:{number:02x}"),),
        now - 9000, maintenance=False, address=f"10.77.0.{number}", last_seen=now - 60,
    )  # fmt: skip
    machines.put(db, machine)
    made = Deployment(DeploymentId(0), name, image.id, now - 8000, delivery="ram", machine=machine.id)
    deployments.add(db, replace(made, wanted=Wanted.RUNNING, installed=Installed(1, None, None, None)))
    began = BootToken(tokens.hash_token(name), machine.id, "n", None, now - 60 + TOKEN_SECONDS, None, root=True)
    tokens.add_boot(db, began)
    roots.redeem(db, began, tokens.hash_token("agent"), admitted=False)
    return machine.id
