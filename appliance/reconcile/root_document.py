"""What the hand-over initrd is told of the root that it mounts (ARCHITECTURE.md, Hand-over initrd). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.catalogue import Image
from appliance.deployment import Deployment
from appliance.export import ExportKind
from appliance.machine import Machine
from appliance.netboot.stack_files import HAND_OVER, StackFile
from appliance.root_volume import PORT, Grant, RootVolume

VERSION = 1
LARGEST_LAYER = 512 << 10
"""Bytes of a layer, compressed: keys, a few settings and the resident take some 30 kB."""


@dataclass(frozen=True, slots=True)
class RootFiles:
    """What a network root starts with, as it is served by plain HTTP."""

    path: str
    """URL path of the directory that has them."""
    files: Mapping[str, StackFile]
    """By name; without those of HAND_OVER there are no roots on the network."""
    append: str = ""
    """What the kernel is told besides."""

    @property
    def complete(self) -> bool:
        """Whether it has all that a network root needs."""
        return all(name in self.files for name in ("vmlinuz", *HAND_OVER))


def in_memory(image: Image, server: str, token: str, layer: str) -> dict[str, Any]:
    """What a document says of a root in memory. ``layer`` makes the image the deployment's own, in base64."""
    ram = {
        "url": f"{server}/images/{image.id}/content",
        "token": token,
        "bytes": image.stored_size,
        "sha256": image.stored_sha256,
    }
    return {"ram": ram, "upper": layer}


def on_volume(root: RootVolume, grant: Grant, secret: str) -> dict[str, Any]:
    """What a document says of a root on a volume; ``secret`` is that of its export, where that is by iSCSI."""
    if grant.export.kind is ExportKind.NFS:
        return {"nfs": {"server": grant.server, "path": f"/{grant.export.id}", "read_only": False, "overlay": False}}
    return {
        "iscsi": {
            "portal": f"{grant.server}:{PORT}",
            "target": grant.target,
            "initiator": grant.export.initiator,
            "user": grant.user,
            "secret": secret,
            "root": f"UUID={root.fs_uuid}",
        }
    }


def document(machine: Machine, mac: str, deployment: Deployment, root: Mapping[str, Any]) -> dict[str, Any]:
    """The document of one boot; it holds secrets. ``root`` is what of it depends on the delivery."""
    return {
        "version": VERSION,
        "delivery": deployment.delivery,
        "hostname": deployment.name,
        "machine": machine.id,
        "nic": {"mac": mac},
        **root,
    }


def by_kexec(files: RootFiles, server: str, mac: str, told: Mapping[str, Any], append: str) -> dict[str, Any]:
    """What an agent needs to start the hand-over initrd by kexec, the document with it; ``files`` are complete."""
    named = {name: files.files[name] for name in ("vmlinuz", *HAND_OVER)}
    console = "console=tty0 console=ttyS0,115200n8 loglevel=4"
    return {
        "files": [
            {"url": f"{server}{files.path}/{name}", "bytes": file.bytes, "sha256": file.sha256}
            for name, file in named.items()
        ],
        "cmdline": " ".join(filter(None, (console, files.append, append, f"qrm.server={server} qrm.mac={mac}"))),
        "document": dict(told),
    }
