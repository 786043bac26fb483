"""What is kept of hosts, and of work on VMs that is under way. Pure.

What a host can do, which VMs it has and how they are, it is asked each time.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from appliance.accounts import Asker
from appliance.errors import Invalid
from appliance.machine import check_name
from appliance.task import TaskId
from appliance.vm import Order, Vm, VmId
from appliance.volume import PoolId, VolumeId

HostId = NewType("HostId", int)
OWN_ADDRESS = "qemu:///system"
"""Of the appliance as a host."""
OWN_NAME = "appliance"
_HERE = re.compile(r"(qemu:///system|test:///default|memory:///[a-z0-9-]{1,40})")
_BY_SSH = re.compile(
    r"qemu\+ssh://(?:[a-z_][a-z0-9_-]{0,31}@)?(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?/system"
)
"""Without a query: in it libvirt takes programs to start, and files to read."""


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host that VMs may be on. Times are Unix time."""

    id: HostId
    """0: nothing is kept of it yet."""
    name: str
    """One of a kind."""
    address: str
    """As libvirt takes it, one of a kind."""
    created: float

    @property
    def here(self) -> bool:
        """Whether it is the appliance's own computer: then it reaches the volumes of pools."""
        return _HERE.fullmatch(self.address) is not None

    @property
    def own(self) -> bool:
        """Whether it is a host by itself, and not because somebody has said so."""
        return self.address == OWN_ADDRESS

    @property
    def detail(self) -> dict[str, object]:
        """What events say of the host that they are about."""
        return {"host": self.id, "host_name": self.name}


class VmDeed(StrEnum):
    """What takes a while. The value is the kind of its task, and the action in the audit log."""

    CREATE = "vm.create"
    DELETE = "vm.delete"
    SHUT_DOWN = "vm.shut-down"
    ADD_DISK = "vm.add-disk"


@dataclass(frozen=True, slots=True)
class DiskVolume:
    """A volume that is made for a disk, or deleted with it."""

    id: VolumeId
    pool: PoolId
    name: str
    size: int
    """Bytes."""
    target: str
    """Of the disk."""
    made: bool = True
    """False: it was there before."""


@dataclass(frozen=True, slots=True)
class VmWork:
    """Work that was asked for and has not ended: stored before anything of it is done, so that it is not lost."""

    deed: VmDeed
    vm: VmId
    name: str
    host: HostId
    by: Asker
    at: float
    """Unix time."""
    id: int = 0
    task: TaskId | None = None
    wanted: Vm | None = None
    """CREATE, ADD_DISK: the definition; the disks that are made with it have their paths once they are made."""
    was: Vm | None = None
    """ADD_DISK: what was stored when it was asked for."""
    volumes: tuple[DiskVolume, ...] = ()
    """CREATE, ADD_DISK: those to be made. DELETE: those to be deleted."""
    start: bool = False
    """CREATE: and switch it on."""
    patience: float = 0.0
    """SHUT_DOWN: seconds after ``at`` until it is switched off."""
    agent: bool = True
    """SHUT_DOWN: whether its agent is still worth a question."""
    told: Order | None = None
    """SHUT_DOWN: the last order that was given."""
    told_at: float = 0.0


def check_host_name(text: str) -> str:
    """Raises Invalid ``host-name``: a number is that of a host."""
    hint = "use letters, digits and hyphens, and at least one letter"
    try:
        if not text.isdecimal():
            return check_name(text)
    except Invalid as error:
        hint = error.hint
    raise Invalid("host-name", f"{text[:80]!r} cannot be the name of a host", hint, "name")


def check_address(text: str) -> str:
    """Raises Invalid ``host-address`` for what is no address of a libvirt that we would connect to."""
    if _HERE.fullmatch(text) or _BY_SSH.fullmatch(text):
        return text
    hint = f"use {OWN_ADDRESS}, or one as qemu+ssh://root@host.example/system"
    raise Invalid("host-address", f"{text[:120]!r} is no address of a host", hint, "address")
