"""The subnets as they are served at this moment; whoever keeps this sees every switch at once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from appliance.netboot.dhcp.subnet import Subnet


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
