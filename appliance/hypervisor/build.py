"""The table of drivers: from the address of a host to the host itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appliance.errors import Invalid
from appliance.hypervisor.driver import HostDriver
from appliance.hypervisor.kvm import KvmHost
from appliance.hypervisor.memory import Memory, MemoryHost


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What drivers need to know."""

    owner: str
    """The appliance whose VMs are not foreign."""
    memories: dict[str, Memory] = field(default_factory=dict)
    """Hosts that are nothing but values, by the names in their addresses; for tests."""


def driver(address: str, on: Surroundings) -> HostDriver:
    """The host at that address; nothing is opened. Raises Invalid ``host-address``."""
    scheme = address.partition(":")[0]
    if scheme not in DRIVERS:
        raise Invalid("host-address", f"{address[:120]!r} is no address of a host", "use qemu:///system", "address")
    return DRIVERS[scheme](address, on)


def _memory(address: str, on: Surroundings) -> HostDriver:
    name = address.rpartition("/")[2]
    if name not in on.memories:
        raise Invalid("host-address", f"there is no host {address} to try things with", "use qemu:///system", "address")
    return MemoryHost(on.memories[name], on.owner)


def _by_ssh(address: str, on: Surroundings) -> HostDriver:
    """Nobody is there to answer what ssh would ask."""
    return KvmHost(f"{address}?no_tty=1", on.owner)


DRIVERS: Mapping[str, Callable[[str, Surroundings], HostDriver]] = {
    "qemu": lambda address, on: KvmHost(address, on.owner),
    "qemu+ssh": _by_ssh,
    "test": lambda address, on: KvmHost(address, on.owner),
    "memory": _memory,
}
"""One line for each scheme of addresses."""
