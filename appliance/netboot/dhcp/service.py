"""DHCP on one subnet: what each message of a client leads to (RFC 2131 section 4.3; pure)."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address

from msgspec import Struct

from appliance.lease import Lease, LeaseState, Reservation
from appliance.netboot.dhcp import reply
from appliance.netboot.dhcp.bindings import Binding
from appliance.netboot.dhcp.effects import Effect, Probe, Publish, Save, Send
from appliance.netboot.dhcp.ending import Ending
from appliance.netboot.dhcp.facts import AddressConflict, LeaseEnded, LeaseGranted, NoAddress, Offered, PoolExhausted
from appliance.netboot.dhcp.options import MessageKind
from appliance.netboot.dhcp.packet import NOWHERE
from appliance.netboot.dhcp.parameters import Told
from appliance.netboot.dhcp.pool import Pool
from appliance.netboot.dhcp.proxy import proxy_answer
from appliance.netboot.dhcp.reply import Terms
from appliance.netboot.dhcp.request import Request
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.firmware import BootFile, ChooseProgram, boot_file, first_program
from appliance.netboot.quiet import Quiet

MAX_PROBES = 1024
"""Conflict probes at the same time; who comes on top is dropped and asks again."""
REPORT_SECONDS = 1.0
"""Between two reports of the same trouble; the next one says how many were left out."""
MIN_GRANT_SECONDS = 30
"""A shorter rest of a lease is not worth acknowledging: wait for the disk instead."""
MAX_TRIES = 3
"""Addresses looked at for one DISCOVER."""


class Look(Struct):
    """A conflict probe under way, and who is waiting for it."""

    request: Request
    tries: int


class SubnetService:
    """One subnet: its pool, and the conversations that wait for a probe or for the disk."""

    def __init__(
        self,
        subnet: Subnet,
        is_known: Callable[[str], bool],
        reservations: Iterable[Reservation],
        leases: Iterable[Lease],
        choose: ChooseProgram = first_program,
    ) -> None:
        """`is_known` says whether a MAC address is that of a machine of the fleet, `choose` which program it boots."""
        self.subnet = subnet
        self.pool = Pool(subnet, reservations, leases)
        self._told = Told(subnet)
        self._is_known = is_known
        self._choose = choose
        self.machine_options: Mapping[str, Mapping[int, bytes]] = {}
        """Code and octets of the options that users set for machines, by MAC address."""
        self._probing: dict[IPv4Address, Look] = {}
        self._unsaved: dict[str, Request] = {}
        self._ending = Ending(self.pool, subnet.interface)
        self._quiet = Quiet(REPORT_SECONDS)
        self.held = False
        """Whether authoritative service is held back: who has a lease of ours keeps it, and nobody else is answered."""

    def switch(self, subnet: Subnet) -> None:
        """Go on under other rules; leases and offers stay, and what waits is answered by the rules of that moment."""
        self.subnet, self._told = subnet, Told(subnet)
        self.pool.switch(subnet)
        if subnet.mode == "off":  # nobody listens any more: what is looked for now is never found
            for look in self._probing.values():
                self.pool.withdraw(self._key(look.request))
            self._probing.clear()

    def _key(self, request: Request) -> str:
        return self.pool.key_for(request)

    def meet(self, request: Request, now: float) -> None:
        """Find out by what an address may be reserved for who sent this, before anything is decided about it."""
        if self.pool.knows_more_than_cards:
            self.pool.recognise(self._key(request), request.owners, now)

    def serves(self, request: Request) -> bool:
        """Whether this client is ours to answer."""
        if self.subnet.mode == "off":
            return False
        if self.subnet.mode == "proxy":
            return request.client.boots
        reserved = self.pool.reservation(self._key(request)) is not None
        if self.subnet.mode == "reservations":
            return reserved
        if self.held:
            return self._keeps(request)
        return self.subnet.serve_non_pxe or request.client.boots or reserved or self._is_known(request.mac)

    def _keeps(self, request: Request) -> bool:
        """Whether it is about an address that the client has been leased by us, which it keeps."""
        bound, packet = self.pool.bound(self._key(request)), request.packet
        about = packet.ciaddr if packet.ciaddr != NOWHERE else request.requested
        return bound is not None and (request.kind is MessageKind.DISCOVER or about == bound)

    def _leases_to(self, request: Request) -> bool:
        """Whether the client gets an address of us: what it waited for may have been switched off meanwhile."""
        return self.subnet.mode in ("authoritative", "reservations") and self.serves(request)

    def handle(self, request: Request, now: float) -> list[Effect]:
        """Answer one message; replies of other servers and unknown kinds lead to nothing."""
        if self.subnet.mode == "proxy":
            return self._proxy(request, now)
        match request.kind:
            case MessageKind.DISCOVER:
                return self._discover(request, now)
            case MessageKind.REQUEST:
                return self._request(request, now)
            case MessageKind.DECLINE:
                return self._ending.decline(request, now)
            case MessageKind.RELEASE:
                return self._ending.release(request, now)
            case MessageKind.INFORM:
                return self._inform(request)
            case _:
                return []

    def _proxy(self, request: Request, now: float) -> list[Effect]:
        boot = self._boot(request)
        answer = None if boot is None else proxy_answer(request, self.subnet.network, boot)
        return [] if answer is None else [answer, *self._told_offer(request, None, now)]

    def _told_offer(self, request: Request, address: IPv4Address | None, now: float) -> list[Effect]:
        offered = Offered(request.mac, address, self.subnet.interface, now)
        return [] if request.is_probe else [Publish(offered)]

    # Offering (RFC 2131 section 4.3.1)

    def _discover(self, request: Request, now: float, tries: int = 1) -> list[Effect]:
        choice = self.pool.choose(self._key(request), request.requested, now, request.relay)
        if choice is None:
            return self._exhausted(request, now)
        if choice.address in self._probing:  # asked again while we look: the newest request gets the answer
            self.pool.hold(self._key(request), choice.address, now, request.relay)  # who asked first may have gone
            self._probing[choice.address].request = request
            return []
        if not choice.fresh or self._answers_at_once(request):
            return self._offer(request, choice.address, now)
        self.pool.hold(self._key(request), choice.address, now, request.relay)
        if len(self._probing) >= MAX_PROBES:
            self.pool.withdraw(self._key(request))  # or nobody would ever be offered it again
            return []
        self._probing[choice.address] = Look(request, tries)
        return [Probe(self.subnet.interface, choice.address, request.mac)]

    def _answers_at_once(self, request: Request) -> bool:
        """Without a look: ARP does not reach behind a relay that stands in our own subnet, and where a flood may come
        through a relay, an offer that waits is taken away before it is made.
        """
        return request.relay is not None and (self.subnet.remote is None or self.pool.is_crowded(request.relay))

    def _exhausted(self, request: Request, now: float) -> list[Effect]:
        if self.subnet.mode != "authoritative":
            return []
        interface = self.subnet.interface
        if request.relay is not None and self.pool.is_full(self._key(request), None, request.relay, now):
            told = NoAddress(request.mac, interface, now, request.relay.port)
            return [] if request.is_probe else [Publish(told)]
        count = self._quiet.count(now)
        complaint = [Publish(PoolExhausted(interface, request.mac, count - 1, now))] if count else []
        return [*complaint] if request.is_probe else [Publish(NoAddress(request.mac, interface, now)), *complaint]

    def probe_result(self, address: IPv4Address, in_use: bool, now: float) -> list[Effect]:
        """Offer the address that was looked at, or set it aside and take another one."""
        look = self._probing.pop(address, None)
        key = self._key(look.request) if look is not None else ""
        if look is None or self.pool.offered(key, now) != address or not self._leases_to(look.request):
            return []
        if self.pool.owner(address, now) not in (None, key):  # its old owner came back meanwhile
            self.pool.withdraw(key)
            return self._discover(look.request, now, look.tries)
        return self._conflict(look, address, now) if in_use else self._offer(look.request, address, now)

    def _conflict(self, look: Look, address: IPv4Address, now: float) -> list[Effect]:
        """Set the address aside and try another, but not without end: one router that answers ARP for
        everything would cost us the whole pool.
        """
        request = look.request
        self.pool.withdraw(self._key(request))
        effects = self._ending.set_aside(request, address, now)
        conflict = AddressConflict(address, self.subnet.interface, request.mac, "probe", now)
        again = self._discover(request, now, look.tries + 1) if look.tries < MAX_TRIES else []
        return [*effects, Publish(conflict), *again]

    def _offer(self, request: Request, address: IPv4Address, now: float) -> list[Effect]:
        self.pool.hold(self._key(request), address, now, request.relay)
        data = reply.offer(request, request.our_id, self._terms(request, address, self.subnet.lease_seconds))
        return [Send(data, reply.destination(request, address)), *self._told_offer(request, address, now)]

    def _terms(self, request: Request, address: IPv4Address, seconds: int) -> Terms:
        reservation = self.pool.reservation(self._key(request))
        hostname = reservation.hostname if reservation is not None else ""
        return Terms(address, seconds, self._boot(request), self._tell(request, hostname))

    def _tell(self, request: Request, hostname: str = "") -> Mapping[int, bytes]:
        return self._told.to(request, hostname, self.machine_options.get(request.mac))

    def _boot(self, request: Request) -> BootFile | None:
        if self.subnet.unknown_machines == "ignore" and not self._is_known(request.mac):
            return None
        return boot_file(request.client, self.subnet.seen_from(request.arrival.local), request.mac, self._choose)

    # Granting (RFC 2131 section 4.3.2)

    def _request(self, request: Request, now: float) -> list[Effect]:
        if request.server_id is not None:
            return self._selecting(request, request.server_id, now)
        if request.packet.ciaddr != NOWHERE:
            return self._renewing(request, request.packet.ciaddr, now)
        if request.requested is not None:
            return self._rebooting(request, request.requested, now)
        return []

    def _selecting(self, request: Request, server: IPv4Address, now: float) -> list[Effect]:
        if server != request.our_id:
            self.pool.withdraw(self._key(request))
            return []
        address = request.requested or request.packet.ciaddr
        if address == NOWHERE:
            return []
        if not self.pool.available(self._key(request), address, now):
            return self._nak(request, "this address is not available")
        return self._grant(request, address, now)

    def _rebooting(self, request: Request, address: IPv4Address, now: float) -> list[Effect]:
        """INIT-REBOOT: refuse what is certainly wrong, stay silent about clients without a record."""
        if address not in self.subnet:
            return self._nak(request, "wrong network")
        reservation, binding = self.pool.reservation(self._key(request)), self.pool.binding(self._key(request))
        record = reservation.address if reservation else binding.lease.address if binding else None
        if record == address and self.pool.available(self._key(request), address, now):
            return self._grant(request, address, now)
        if record is None and self.pool.owner(address, now) is None:
            return []
        return self._nak(request, "this address is not yours")

    def _renewing(self, request: Request, address: IPv4Address, now: float) -> list[Effect]:
        """RENEWING and REBINDING. Without a record we are still the authority: grant what is free.

        A machine that was reserved another address since is sent to fetch it. RFC 2131 would rather acknowledge and
        not extend; then it would lose its address all the same, a whole lease time later. Never where its next
        DISCOVER would not lead to the reserved one: it would go round in a circle.
        """
        if self.pool.reserved_now(self._key(request), now) not in (None, address):
            return self._nak(request, "another address is reserved for you")
        if self.pool.available(self._key(request), address, now):
            return self._grant(request, address, now)
        return self._nak(request, "this address is not yours")

    def _nak(self, request: Request, reason: str) -> list[Effect]:
        self.pool.withdraw(self._key(request))
        return [Send(reply.nak(request, request.our_id, reason), reply.nak_destination(request))]

    def _grant(self, request: Request, address: IPv4Address, now: float) -> list[Effect]:
        """Acknowledge what the disk already covers, and make it cover more when that runs low.

        The stored end lies two lease times ahead, so that a renewal at half time needs no write, and a
        stuck disk stops nobody who has an address. New bindings wait for the disk.
        """
        self.pool.withdraw(self._key(request))
        binding = self.pool.binding(self._key(request))
        mine = binding if binding is not None and binding.lease.address == address else None
        if mine is None and self.pool.is_full(self._key(request), address, request.relay, now):
            return self._nak(request, "the port that you are behind has as many addresses as it may")
        saves = [] if mine is not None and self._covers(mine, request, now) else self._bind(request, address, now)
        if mine is not None and mine.durable_end - now >= min(MIN_GRANT_SECONDS, self.subnet.lease_seconds):
            self._unsaved.pop(self._key(request), None)
            return [*saves, *self._acknowledge(request, address, mine.durable_end, now)]
        self._unsaved[self._key(request)] = request
        return saves

    def _covers(self, binding: Binding, request: Request, now: float) -> bool:
        """Whether nothing has to be written: on its way already, or half a lease time to spare and no news."""
        if binding.lease.state is not LeaseState.BOUND:
            return False
        enough = now + 1.5 * self.subnet.lease_seconds
        same_name = request.hostname in ("", binding.lease.hostname)  # a ROM has none, its system has
        same_port = request.relay is None or request.relay.port == binding.lease.port
        return binding.in_flight or (binding.durable_end >= enough and same_name and same_port)

    def _bind(self, request: Request, address: IPv4Address, now: float) -> list[Effect]:
        known = self.pool.binding(self._key(request))
        extended = known is not None and self.pool.bound(self._key(request)) == address
        before = known.lease if known is not None and extended else None
        lease = Lease(
            mac=request.mac,
            address=address,
            interface=self.subnet.interface,
            client_id=request.client_id,
            hostname=request.hostname or (before.hostname if before else ""),
            start=before.start if before else now,
            end=now + 2 * self.subnet.lease_seconds,
            state=LeaseState.BOUND,
            port=request.relay.port if request.relay is not None else before.port if before else "",
        )
        *old, new = self.pool.bind(lease, now)
        ended: list[Effect] = [Publish(LeaseEnded(each, "replaced", now)) for each in old]
        return [*(Save(each) for each in old), Save(new), *ended]

    def _acknowledge(self, request: Request, address: IPv4Address, durable_end: float, now: float) -> list[Effect]:
        binding = self.pool.binding(self._key(request))
        assert binding is not None, "only bound addresses are acknowledged"
        seconds = min(self.subnet.lease_seconds, int(durable_end - now))
        self.pool.acknowledge(self._key(request), now + seconds)
        data = reply.ack(request, request.our_id, self._terms(request, address, seconds))
        granted = LeaseGranted(binding.lease, request.client, now + seconds, now)
        return [Send(data, reply.destination(request, address)), Publish(granted)]

    def saved(self, lease: Lease, now: float) -> list[Effect]:
        """A lease is on disk: whoever waited for it gets the acknowledgement."""
        current = self.pool.stored(lease)
        if not current or lease.state is not LeaseState.BOUND:
            return []
        request = self._unsaved.pop(self.pool.key_of(lease), None)
        if request is None or lease.end - now < 1 or not self._leases_to(request):
            return []
        return self._acknowledge(request, lease.address, lease.end, now)

    def save_failed(self, lease: Lease) -> None:
        """A lease could not be written: its client hears nothing and asks again."""
        self.pool.not_stored(lease)
        self._unsaved.pop(self.pool.key_of(lease), None)

    def forget(self, address: IPv4Address) -> Lease | None:
        """Free an address and forget whose it was; what to write to disk, None where nothing is known of it."""
        lease = self.pool.forget(address)
        if lease is not None:
            self._unsaved.pop(self.pool.key_of(lease), None)
        return lease

    def expire(self, now: float) -> list[Effect]:
        """End the leases whose time is over."""
        return self._ending.expire(now)

    # Informing (RFC 2131 section 4.3.5)

    def _inform(self, request: Request) -> list[Effect]:
        address = request.packet.ciaddr
        if address != NOWHERE and address not in self.subnet:
            return []
        terms = Terms(address, 0, self._boot(request), self._tell(request))
        data = reply.inform_ack(request, request.our_id, terms)
        return [Send(data, reply.destination(request, address))]
