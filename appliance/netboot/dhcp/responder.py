"""The DHCP protocol without I/O: datagrams, times and results in, effects out (pure)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address

from appliance.lease import Lease, Reservation
from appliance.netboot.dhcp.effects import Effect, Publish, Save
from appliance.netboot.dhcp.facts import BadPacket, DhcpSeen, ForeignReply, LeaseEnded, Unserved
from appliance.netboot.dhcp.options import DecodeError, MessageKind
from appliance.netboot.dhcp.packet import NOWHERE
from appliance.netboot.dhcp.request import SERVER_PORT, Arrival, Request, parse_request, replying_server
from appliance.netboot.dhcp.service import REPORT_SECONDS, SubnetService
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.firmware import ChooseProgram, first_program
from appliance.netboot.quiet import Quiet


class Responder:
    """All subnets. Every method returns at once with what is to be done, in order.

    `now` is Unix time in seconds.
    """

    def __init__(
        self,
        subnets: Iterable[Subnet],
        *,
        is_known: Callable[[str], bool],
        reservations: Sequence[Reservation] = (),
        leases: Sequence[Lease] = (),
        choose: ChooseProgram = first_program,
    ) -> None:
        """`leases` is all that the disk holds; `is_known` says whether a MAC is a machine of the fleet, `choose` which
        boot program it gets.
        """
        self._services = {
            subnet.interface: SubnetService(subnet, is_known, reservations, _of_interface(leases, subnet), choose)
            for subnet in subnets
        }
        self._is_known = is_known
        self._bad_packets: dict[str, Quiet] = {}

    def set_reservations(self, reservations: Sequence[Reservation]) -> None:
        """Replace all reservations; running leases stay until their machines ask anew."""
        for service in self._services.values():
            service.pool.set_reservations(reservations)

    def set_options(self, options: Mapping[str, Mapping[int, bytes]]) -> None:
        """Replace the options that users set for machines: code and octets, by MAC address."""
        for service in self._services.values():
            service.machine_options = options

    def switch(self, subnet: Subnet) -> None:
        """Serve the subnet of this interface under other rules; its leases and offers stay."""
        self._services[subnet.interface].switch(subnet)

    def hold(self, interface: str, held: bool) -> None:
        """Hold authoritative service back, or let it begin."""
        self._services[interface].held = held

    def holder(self, address: IPv4Address) -> str | None:
        """The machine that has an address of any subnet, or had it last."""
        pools = (each.pool for each in self._services.values() if address in each.subnet)
        return next((mac for pool in pools if (mac := pool.holder(address)) is not None), None)

    def is_familiar(self, mac: str, now: float) -> bool:
        """Whether there is more behind a MAC address than a DISCOVER: a machine, an address, or an offer."""
        pools = (each.pool for each in self._services.values())
        return self._is_known(mac) or any(
            pool.binding(mac) is not None or pool.reservation(mac) is not None or pool.offered(mac, now) is not None
            for pool in pools
        )

    def forget(self, interface: str, address: IPv4Address, now: float) -> list[Effect]:
        """Free an address and forget whose it was; empty where nothing is known of it."""
        service = self._services.get(interface)
        lease = service.forget(address) if service is not None else None
        return [] if lease is None else [Save(lease), Publish(LeaseEnded(lease, "forgotten", now))]

    def leased(self, now: float) -> dict[str, int]:
        """How many addresses are leased, by interface."""
        return {interface: each.pool.leased(now) for interface, each in self._services.items()}

    def receive_datagram(self, data: bytes, arrival: Arrival, now: float) -> list[Effect]:
        """A datagram came to port 67 or 4011."""
        if (server := replying_server(data)) is not None:
            return [Publish(ForeignReply(server, arrival.interface, now))] if server != arrival.local else []
        try:
            request = parse_request(data, arrival)
        except DecodeError as error:
            return self._bad_packet(arrival, str(error), now)
        service = self._service_for(request)
        if service is None or service.subnet.mode == "off":
            return []
        if request.relay is not None and not service.subnet.relayed_by(request.relay.address):
            stranger = f"{request.relay.address} is none of the relays of {service.subnet.interface}"
            return self._bad_packet(arrival, stranger, now)
        service.meet(request, now)
        served = service.serves(request)
        answers = service.handle(request, now) if served else []
        if request.is_probe:
            return answers
        seen = _seen(request, service.subnet, now)
        return [Publish(seen if served else Unserved(seen)), *answers]

    def _service_for(self, request: Request) -> SubnetService | None:
        """By interface; behind a relay by the address that it names (RFC 2131 section 4.3.1, RFC 3527).

        Who has an address already writes to us alone, from wherever it is (RENEWING, RELEASE, INFORM).
        """
        if request.relay is not None:
            return self._of_network(request.relay.link)
        uses = request.packet.ciaddr if request.packet.ciaddr != NOWHERE else request.arrival.source
        alone = request.arrival.destination == request.arrival.local
        elsewhere = self._of_network(uses) if alone else None
        return elsewhere or self._services.get(request.arrival.interface)

    def _of_network(self, address: IPv4Address) -> SubnetService | None:
        return next((each for each in self._services.values() if address in each.subnet), None)

    def _bad_packet(self, arrival: Arrival, reason: str, now: float) -> list[Effect]:
        quiet = self._bad_packets.setdefault(arrival.interface, Quiet(REPORT_SECONDS))
        count = quiet.count(now)
        return [Publish(BadPacket(arrival.interface, arrival.source, reason, count - 1, now))] if count else []

    def probe_result(self, interface: str, address: IPv4Address, in_use: bool, now: float) -> list[Effect]:
        """A `Probe` is done."""
        return self._services[interface].probe_result(address, in_use, now)

    def saved(self, leases: Iterable[Lease], now: float) -> list[Effect]:
        """These leases are on disk and will be after a power cut."""
        return [effect for lease in leases for effect in self._services[lease.interface].saved(lease, now)]

    def save_failed(self, leases: Iterable[Lease]) -> None:
        """These leases may not be on disk."""
        for lease in leases:
            self._services[lease.interface].save_failed(lease)

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called, at the latest."""
        times = (service.pool.next_expiry() for service in self._services.values())
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> list[Effect]:
        """End what is over."""
        return [effect for service in self._services.values() for effect in service.expire(now)]


def _of_interface(leases: Iterable[Lease], subnet: Subnet) -> list[Lease]:
    return [lease for lease in leases if lease.interface == subnet.interface]


def _seen(request: Request, subnet: Subnet, now: float) -> DhcpSeen:
    return DhcpSeen(
        mac=request.mac,
        kind=request.kind,
        firmware=request.client.firmware,
        architecture=request.client.architecture,
        is_ipxe=request.client.is_ipxe,
        uuid=request.client.uuid,
        relay=None if request.relay is None else request.relay.address,
        interface=subnet.interface,
        at=now,
        vendor_class=request.client.vendor_class,
        user_class=request.client.user_class,
        hostname=request.hostname,
        holds=None if request.packet.ciaddr == NOWHERE else request.packet.ciaddr,
        chosen=_chosen(request),
    )


def _chosen(request: Request) -> IPv4Address | None:
    """The server that a REQUEST to everybody names, where that is not us."""
    if request.kind is not MessageKind.REQUEST or request.arrival.port != SERVER_PORT:
        return None
    return None if request.server_id == request.our_id else request.server_id
