"""The subnets as they are served at this moment; whoever keeps this sees every switch at once (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import AddressValueError, IPv4Address
from typing import TypeVar, overload

from appliance.netboot.dhcp.subnet import NetworkRoots, Subnet, UnknownMachines

T = TypeVar("T", bound=str)


class ServedSubnets(Sequence[Subnet]):
    """In the order of the configuration file; their number and their interfaces never change."""

    def __init__(self, subnets: Iterable[Subnet]) -> None:
        self._subnets = tuple(subnets)

    def put(self, subnet: Subnet) -> None:
        """Serve the subnet of this interface so from now on."""
        self._subnets = tuple(subnet if each.interface == subnet.interface else each for each in self._subnets)

    def on(self, interface: str) -> Subnet | None:
        """The subnet of this interface; None where none is served."""
        return next((each for each in self._subnets if each.interface == interface), None)

    @overload
    def __getitem__(self, index: int) -> Subnet: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Subnet]: ...

    def __getitem__(self, index: int | slice) -> Subnet | Sequence[Subnet]:
        return self._subnets[index]

    def __len__(self) -> int:
        return len(self._subnets)

    def __iter__(self) -> Iterator[Subnet]:
        return iter(self._subnets)


class _Policies(Mapping[str, T]):
    """What a subnet says at this moment, by our address that its machines ask, or by theirs behind relays."""

    def __init__(self, subnets: ServedSubnets) -> None:
        self._subnets = subnets

    def _subnet(self, address: str) -> Subnet:
        near = (each for each in self._subnets if each.remote is None and str(each.address.ip) == address)
        found = next(near, None) or behind_relays(self._subnets, address)
        if found is None:
            raise KeyError(address)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([str(each.address.ip) for each in self._subnets if each.remote is None])

    def __len__(self) -> int:
        return len(list(iter(self)))


class UnknownPolicies(_Policies[UnknownMachines]):
    """What is done with unknown machines."""

    def __getitem__(self, address: str) -> UnknownMachines:
        return self._subnet(address).unknown_machines


class RootPolicies(_Policies[NetworkRoots]):
    """Whether machines that restart by themselves get their roots on the network."""

    def __getitem__(self, address: str) -> NetworkRoots:
        return self._subnet(address).network_roots


def behind_relays(subnets: Iterable[Subnet], client: str) -> Subnet | None:
    """The subnet of a client where only relays reach that: several of those meet at one address of ours."""
    with suppress(AddressValueError):
        address = IPv4Address(client)
        return next((each for each in subnets if each.remote is not None and address in each.remote), None)
    return None
