"""How addresses come free or are set aside (RFC 2131 sections 4.3.3 and 4.3.4; pure)."""

from ipaddress import IPv4Address

from appliance.lease import Lease, LeaseState
from appliance.netboot.dhcp.declines import Declines
from appliance.netboot.dhcp.effects import Effect, Publish, Save
from appliance.netboot.dhcp.facts import AddressConflict, LeaseEnded
from appliance.netboot.dhcp.pool import Pool
from appliance.netboot.dhcp.request import Request

QUARANTINE_SECONDS = 3600.0


class Ending:
    """The ends of leases of one subnet."""

    def __init__(self, pool: Pool, interface: str) -> None:
        self._pool, self._interface = pool, interface
        self._declines = Declines()

    def decline(self, request: Request, now: float) -> list[Effect]:
        """Set aside an address that we gave to this client, a few times per client and hour only."""
        address, key = request.requested, self._pool.key_for(request)
        gave = address in (self._pool.offered(key, now), self._pool.bound(key))
        if address is None or request.server_id != request.our_id or not gave:
            return []
        if not self._declines.admit(request.mac, now):
            return []
        self._pool.withdraw(key)
        conflict = AddressConflict(address, self._interface, request.mac, "client", now)
        return [*self.set_aside(request, address, now), Publish(conflict)]

    def set_aside(self, request: Request, address: IPv4Address, now: float) -> list[Effect]:
        """Give the address to nobody for a while."""
        ended: list[Effect] = []
        key = self._pool.key_for(request)
        binding = self._pool.binding(key)
        if binding is not None and self._pool.bound(key) == address:
            ended = [Publish(LeaseEnded(binding.lease, "declined", now))]
        lease = Lease(
            mac=request.mac,
            address=address,
            interface=self._interface,
            client_id=request.client_id,
            hostname="",
            start=now,
            end=now + QUARANTINE_SECONDS,
            state=LeaseState.DECLINED,
        )
        return [Save(self._pool.quarantine(lease)), *ended]

    def release(self, request: Request, now: float) -> list[Effect]:
        """Free the address at once, and remember whose it was."""
        key = self._pool.key_for(request)
        if request.server_id not in (None, request.our_id) or self._pool.bound(key) != request.packet.ciaddr:
            return []
        lease = self._pool.release(key, now)
        return [] if lease is None else [Save(lease), Publish(LeaseEnded(lease, "released", now))]

    def expire(self, now: float) -> list[Effect]:
        """End the leases whose time is over."""
        effects: list[Effect] = []
        for lease in self._pool.expire(now):
            effects += [Save(lease), Publish(LeaseEnded(lease, "expired", now))]
        return effects
