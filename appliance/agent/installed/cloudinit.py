"""A NoCloud seed, for images with cloud-init (docs.cloud-init.io, "NoCloud")."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import StepFailed
from ..job import Params
from .netconfig import has_cloud_init, leaves_network
from .root import Root

SEED = "/var/lib/cloud/seed/nocloud"
SETTINGS_FILE = "/etc/cloud/cloud.cfg.d/zz-qrm.cfg"
"""Read after all others of an image, and before what users write for it: what they say counts."""
SETTINGS = """\
# Written when this system was deployed: what it is comes from /var/lib/cloud/seed/nocloud, and from nowhere else.
datasource_list: [ NoCloud, None ]
datasource:
  NoCloud:
    fs_label: null
    seedfrom: null
disable_root: false
ssh_deletekeys: false
growpart:
  mode: "off"
"""
"""No other source is asked, which takes minutes where none answers: no disk that calls itself cidata, and nobody on the
network. The host keys are ours and stay, root may log in with the user's keys, and the disk was grown already."""
NOTHING = "#cloud-config\n{}\n"
STALE = ("vendor-data", "network-config")
"""Of a seed that the image brought along."""


@dataclass(frozen=True)
class Seed:
    """What users write for cloud-init; "" for what they leave out. It has passwords in it."""

    user_data: str = field(default="", repr=False)
    network_config: str = field(default="", repr=False)


def seed_of(root: Root, params: Params) -> Seed:
    """The seed that a step gives. Raises StepFailed `cloud-init-missing` where nothing in the image would take it."""
    if not params.has("seed"):
        return Seed()
    if not has_cloud_init(root):
        text = "the image has no cloud-init, or it is switched off there: nobody would do what its user data says"
        raise StepFailed("cloud-init-missing", f"{text}; choose another image, or take that out of the deployment")
    given = params.inner("seed")
    seed = Seed(given.text("user_data", ""), given.text("network_config", ""))
    if seed.network_config and leaves_network(root):
        text = (
            "the image tells its cloud-init to leave the network alone (network: config: disabled), and nobody would do"
        )
        hint = "what the network configuration says; take that out of the deployment, or choose another image"
        raise StepFailed("cloud-init-missing", f"{text} {hint}")
    return seed


def write_seed(root: Root, seed: Seed, meta: str, network: str) -> bool:
    """Write the seed where cloud-init is installed; says whether it is.

    `meta` is its `meta_data`, and `network` the configuration where `seed` has none.
    """
    if not has_cloud_init(root):
        return False
    root.write(SETTINGS_FILE, SETTINGS)
    root.make_directory("/var/lib/cloud/seed")
    root.make_directory(SEED, 0o700)
    for name in STALE:
        root.remove(f"{SEED}/{name}")
    root.write(f"{SEED}/meta-data", meta, 0o600)
    root.write(f"{SEED}/user-data", seed.user_data or NOTHING, 0o600)
    root.write(f"{SEED}/network-config", seed.network_config or network, 0o600)
    return True


def meta_data(instance: str, hostname: str, keys: Sequence[str]) -> str:
    """YAML; JSON is YAML, and quotes everything that needs it (pure).

    `instance` must be new for each deployment: cloud-init does its first-boot work once for each.
    """
    said = {"instance-id": instance, "local-hostname": hostname, "public-keys": list(keys)}
    return json.dumps(said) + "\n"
