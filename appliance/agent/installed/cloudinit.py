"""A NoCloud seed, for images with cloud-init (docs.cloud-init.io, "NoCloud")."""

import json
from collections.abc import Sequence

from .netconfig import Nic, has_cloud_init, netplan
from .root import Root

SEED = "/var/lib/cloud/seed/nocloud"


def write_seed(root: Root, instance: str, hostname: str, keys: Sequence[str], nics: Sequence[Nic]) -> bool:
    """Write the seed where cloud-init is installed; says whether it is.

    `instance` must be new for each deployment: cloud-init does its first-boot work once for each.
    """
    if not has_cloud_init(root):
        return False
    root.write(f"{SEED}/meta-data", meta_data(instance, hostname), 0o600)
    root.write(f"{SEED}/user-data", user_data(hostname, keys), 0o600)
    root.write(f"{SEED}/network-config", netplan(nics), 0o600)
    return True


def meta_data(instance: str, hostname: str) -> str:
    """YAML; JSON is YAML, and quotes everything that needs it (pure)."""
    return json.dumps({"instance-id": instance, "local-hostname": hostname}) + "\n"


def user_data(hostname: str, keys: Sequence[str]) -> str:
    """#cloud-config; the host keys of ours stay, and root may log in with the user's keys (pure)."""
    config = {
        "hostname": hostname,
        "ssh_authorized_keys": list(keys),
        "disable_root": False,
        "ssh_deletekeys": False,
        "growpart": {"mode": "off"},
    }
    return "#cloud-config\n" + json.dumps(config) + "\n"
