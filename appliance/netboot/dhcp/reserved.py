"""Which addresses of one subnet are kept for whom (pure).

A card is known by its MAC address in every message. A board says its UUID while it boots and its system does not, and
only a relay names ports: who was recognised by one of those keeps the address by its own key until another comes.
"""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address

from appliance.lease import BY_PORT, BY_UUID, Reservation


class Reserved:
    """Reservations by address and by owner, with the client that is the owner now."""

    def __init__(self) -> None:
        self._of: dict[str, Reservation] = {}
        self._at: dict[int, str] = {}  # by addresses as numbers, since the hash of an address is slow to make
        self._claims: dict[str, str] = {}
        self._claimants: dict[str, str] = {}
        self.knows_more_than_cards = False
        """Whether an address is reserved by anything else than a MAC address."""

    def replace(self, reservations: Iterable[Reservation]) -> None:
        """Other reservations; who was recognised as the owner of one that stays is so still."""
        self._of = {each.owner: each for each in reservations}
        self._at = {int(each.address): each.owner for each in self._of.values()}
        self.knows_more_than_cards = any(each.startswith((BY_UUID, BY_PORT)) for each in self._of)
        for client in [client for client, owner in self._claims.items() if owner not in self._of]:
            self._drop(client)

    def __contains__(self, owner: str) -> bool:
        return owner in self._of

    def of(self, client: str) -> Reservation | None:
        """The reservation that is this client's."""
        return self._of.get(client) or self._of.get(self._claims.get(client, ""))

    def is_kept(self, address: IPv4Address) -> bool:
        """Whether the address is anybody's."""
        return int(address) in self._at

    def is_for(self, client: str, address: IPv4Address) -> bool:
        """Whether the address is this client's, or kept for nobody."""
        owner = self._at.get(int(address))
        return owner is None or owner in (client, self._claims.get(client))

    def client(self, address: IPv4Address) -> str | None:
        """The client that the address is kept for, or its owner where that has not come yet; None: for nobody."""
        owner = self._at.get(int(address))
        return None if owner is None else self._claimants.get(owner, owner)

    def recognise(self, client: str, owners: Sequence[str], holds: Callable[[str, IPv4Address], bool]) -> None:
        """Note who a client says it is; ``owners`` as ``Request.owners`` has them.

        Who ``holds`` the address under the same name now keeps it: two that answer to one name never share.
        """
        self._leave(client, owners)
        owner = next((each for each in owners if each in self._of), None)
        if owner is None or client in self._of or self._claims.get(client) == owner:
            return
        before = self._claimants.get(owner)
        if before is None or not holds(before, self._of[owner].address):
            self.claim(client, owner)

    def claim(self, client: str, owner: str) -> None:
        """The client is the owner from now on, and whoever was it before is so no longer."""
        self._drop(client)
        if (before := self._claimants.get(owner)) is not None:
            self._drop(before)
        self._claims[client] = owner
        self._claimants[owner] = client

    def claim_address(self, client: str, address: IPv4Address) -> None:
        """The client had this address last: it is the owner by whose UUID or port it is kept, as long as none comes."""
        owner = self._at.get(int(address), "")
        if owner.startswith((BY_UUID, BY_PORT)) and owner not in self._claimants and client not in self._of:
            self.claim(client, owner)

    def _leave(self, client: str, owners: Sequence[str]) -> None:
        """A client that says another UUID or comes through another port is no longer who it was."""
        owner = self._claims.get(client, "")
        kind = owner[: owner.find(":") + 1]
        if kind and owner not in owners and any(each.startswith(kind) for each in owners):
            self._drop(client)

    def _drop(self, client: str) -> None:
        owner = self._claims.pop(client, None)
        if owner is not None:
            del self._claimants[owner]
