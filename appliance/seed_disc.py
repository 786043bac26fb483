"""A NoCloud seed as a disc: what cloud-init finds in a VM's CD-ROM drive (docs.cloud-init.io, "NoCloud"). Pure."""

import hashlib
import json
from dataclasses import dataclass, field

from appliance.cloud_init import network_config, user_data
from appliance.small_disc import small_disc
from appliance.vm import VmId

LABEL = "CIDATA"
"""cloud-init looks for a file system that is called so."""
NOTHING = "#cloud-config\n{}\n"
"""User data where users give none: there has to be some."""


@dataclass(frozen=True, slots=True)
class SeedWish:
    """What cloud-init is to do in a VM at its first start. It has passwords in it."""

    host_name: str
    user_data: str = field(default="", repr=False)
    network_config: str = field(default="", repr=False)
    """Empty: by DHCP, as cloud-init does it by itself."""


def checked(wish: SeedWish) -> SeedWish:
    """The wish as cloud-init would take it; raises Invalid as ``cloud_init`` does, with the field."""
    users = user_data(wish.user_data)[0] if wish.user_data.strip() else ""
    network = network_config(wish.network_config)[0] if wish.network_config.strip() else ""
    return SeedWish(wish.host_name, users, network)


def seed_disc(vm: VmId, wish: SeedWish, made: float) -> bytes:
    """The content of the disc; ``made`` is a Unix time.

    A seed that says something else is another instance to cloud-init, and is carried out at the next start.
    """
    texts = {"user-data": wish.user_data or NOTHING, "network-config": wish.network_config}
    mark = hashlib.sha256("\0".join((wish.host_name, *texts.values())).encode()).hexdigest()[:8]
    meta = {"instance-id": f"{vm}-{mark}", "local-hostname": wish.host_name}
    files = {"meta-data": f"{json.dumps(meta)}\n", **{name: text for name, text in texts.items() if text}}
    return small_disc(LABEL, {name: text.encode() for name, text in files.items()}, made)
