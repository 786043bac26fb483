"""Hosts of VMs, and VMs as they are found on one. Pure."""

from dataclasses import dataclass

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.vm import Bus, Firmware, Vm, VmId, VmState, differences


@dataclass(frozen=True, slots=True)
class Host:
    """A host as it is found."""

    name: str
    """What it calls itself."""
    cpus: int
    """Threads of its processors."""
    memory: int
    """Bytes."""
    libvirt: tuple[int, int, int]
    """Version of its libvirt."""
    kvm: bool
    """False: processors are emulated, some twenty times slower."""
    buses: frozenset[Bus]
    firmwares: frozenset[Firmware]
    tpm: bool
    """Whether it has swtpm."""


VLANS_SINCE = (11, 0, 0)
"""The first libvirt that tags the ports of Linux bridges."""


def check_possible(vm: Vm, host: Host) -> None:
    """Raises Invalid ``host-lacks`` for what this host cannot do, with the field."""
    for number, disk in enumerate(vm.disks):
        if disk.bus not in host.buses:
            hint = f"choose from {', '.join(sorted(host.buses))}"
            raise lacks(host, f"has no disks on {disk.bus}", hint, f"disks.{number}.bus")
    if vm.firmware not in host.firmwares:
        hint = f"choose from {', '.join(sorted(host.firmwares))}, or install its firmware (package ovmf) there"
        raise lacks(host, f"has no firmware for {vm.firmware}", hint, "firmware")
    if vm.tpm and not host.tpm:
        raise lacks(host, "has no TPM to give", "install swtpm there", "tpm")
    tagged = next((number for number, nic in enumerate(vm.nics) if nic.vlan), None)
    if tagged is not None and host.libvirt < VLANS_SINCE:
        text = f"has libvirt {'.'.join(map(str, host.libvirt))}, which knows no VLANs of bridges"
        raise lacks(host, text, "use a bridge on the VLAN instead", f"nics.{tagged}.vlan")
    if vm.cpus > host.cpus:
        raise lacks(host, f"has {host.cpus} CPUs", "give the VM fewer", "cpus")
    if vm.memory > host.memory:
        raise lacks(host, f"has {host.memory} bytes of memory", "give the VM less", "memory")


def lacks(host: Host, text: str, hint: str, field: str) -> Invalid:
    """What is said of a host that cannot have a VM."""
    return Invalid("host-lacks", f"the host {host.name} {text}", hint, field)


@dataclass(frozen=True, slots=True)
class Seen:
    """A VM in the list of a host."""

    id: VmId
    name: str
    state: VmState
    ours: bool
    """False: somebody else made it. It is shown, and never touched."""
    cpus: int
    memory: int
    """Bytes."""
    why: str = ""
    """What brought it into its state, where nobody asked for that; empty otherwise."""
    stored: bool = True
    """False: it is gone once it is off."""


@dataclass(frozen=True, slots=True)
class Found:
    """One VM, looked at closely."""

    seen: Seen
    stored: Vm | None
    """None where there is no stored definition."""
    live: Vm | None
    """What runs; None where it is off."""
    beyond: tuple[str, ...] = ()
    """What its definition has that no ``Vm`` can say, in words of libvirt. A change leaves that as it is."""

    @property
    def needs_restart(self) -> tuple[str, ...]:
        """Names of the fields that a restart would change."""
        return differences(self.live, self.stored) if self.live and self.stored else ()


@dataclass(frozen=True, slots=True)
class Change:
    """Something became different on a host; it is to be looked at again."""

    id: VmId | None
    """None: nobody knows which VM, so look at all of them."""
    what: str
    """In words, for the log."""


def unknown(key: str) -> NotFound:
    """What is said of a VM that is not there."""
    return NotFound("vm-unknown", f"this host has no VM {key[:40]}", "look at the list again: it was deleted")


def check_ours(seen: Seen) -> None:
    """Raises Conflict ``vm-foreign``."""
    if not seen.ours:
        raise foreign(seen.name)


def foreign(name: str) -> Conflict:
    """What is said of a VM that somebody else made."""
    text = f"the VM {name} was not made by this appliance"
    return Conflict("vm-foreign", text, "use what made it, such as virsh or virt-manager")


def check_unchanged(name: str, stored: Vm | None, was: Vm | None) -> None:
    """Raises Conflict ``vm-changed`` where somebody else has changed what is stored, meanwhile."""
    if was is not None and stored != was:
        text = f"somebody else has {'changed' if stored else 'deleted'} {name} meanwhile"
        raise Conflict("vm-changed", text, "look at it again, then say what is to be changed")


def name_taken(name: str) -> Conflict:
    """What is said where another VM has that name."""
    return Conflict("name-taken", f"another VM of this host is called {name}", "choose another name", "name")


def agent_silent(name: str) -> Conflict:
    """What is said of a VM whose agent does not answer."""
    hint = "press its power button instead (ACPI), or install qemu-guest-agent in it"
    return Conflict("vm-agent-silent", f"no agent in {name} answers", hint)


def unreachable(host: str, words: str) -> ApplianceError:
    """What is said of a host that does not answer."""
    text = f"the host {host} does not answer: {words}"
    return ApplianceError("host-unreachable", text, "look at the host, and at libvirt on it")
