"""The network for programs: subnets, leases, reservations, names, and what was seen on it."""

from dataclasses import asdict
from typing import Literal

from aiohttp import web

from appliance.errors import Conflict
from appliance.names import DnsRecord
from appliance.reconcile.name_page import SORTS, name_page
from appliance.reconcile.network_views import (
    LeaseView,
    NameView,
    ReservationView,
    SightingView,
    SubnetView,
)
from appliance.reconcile.network_wishes import NewRecord, NewReservation
from appliance.reconcile.subnet_use import is_held
from appliance.sighting import STAGE_TEXTS, ForeignServer
from appliance.store.listing import Filter, Listing, Sort
from appliance.store.network import LEASES, RESERVATIONS
from appliance.store.sightings import SIGHTINGS
from appliance.web.api import listing
from appliance.web.api.body import answer, body, storable
from appliance.web.api.network_shapes import (
    ForeignServerOut,
    LeaseOut,
    NameIn,
    NameOut,
    Owner,
    RangeOut,
    RecordOut,
    ReservationIn,
    ReservationOut,
    SightingOut,
    SubnetOut,
)
from appliance.web.api.query import Param, Word, given
from appliance.web.api.shapes import Items
from appliance.web.keys import SERVICES, USER

LEASES_QUERY = listing.params(LEASES)
RESERVATIONS_QUERY = listing.params(RESERVATIONS)
SIGHTINGS_QUERY = listing.params(SIGHTINGS)
CONFIRM_QUERY = (Param("confirm", Word, "the name of the machine that holds the address, where one does"),)
# Declared as other lists are, for its parameters; names are in memory, and no SQL is made of this.
NAMES = Listing(
    table="names",
    columns="",
    id="",
    default="name",
    sorts={each: Sort(each) for each in SORTS},
    filters={
        "q": Filter(Word, lambda _value, _now: (), "words in name or value"),
        "owner": Filter(list[Owner], lambda _value, _now: (), "what the name belongs to"),
        "type": Filter(list[Literal["A", "AAAA", "CNAME", "SRV", "TXT"]], lambda _value, _now: (), "type of record"),
    },
)
NAMES_QUERY = listing.params(NAMES)


async def subnets(request: web.Request) -> web.Response:
    """Subnets as they are served now, how full they are, and foreign DHCP servers on them."""
    return answer(Items(items=[subnet_out(each) for each in await request.app[SERVICES].network.subnets()]))


def subnet_out(view: SubnetView) -> SubnetOut:
    """A subnet as it is told to programs."""
    of, standing = view.subnet, view.standing
    return SubnetOut(
        interface=view.interface,
        mode=of.mode if of else "off",
        network=str(of.network) if of else None,
        address=str(of.address.ip) if of else None,
        ranges=[RangeOut(**asdict(each)) for each in view.ranges],
        lease_seconds=of.lease_seconds if of else None,
        gateway=str(of.gateway) if of and of.gateway else None,
        dns=[str(each) for each in of.dns] if of else [],
        ntp=[str(each) for each in of.ntp] if of else [],
        unknown_machines=of.unknown_machines if of else None,
        serve_non_pxe=of.serve_non_pxe if of else None,
        other_servers=of.other_servers if of else None,
        network_roots=of.network_roots if of else None,
        fixed=list(standing.fixed) if of else ["mode"],
        held_by=list(standing.held_by),
        looking=standing.looking,
        looked=standing.looked,
        foreign=[_foreign(each) for each in view.foreign],
        linked=standing.linked,
        link_trouble=standing.link_trouble,
        set_aside=view.aside,
        relays=[str(each) for each in of.relays] if of else [],
        identify_by=of.identify_by if of else None,
        leases_per_port=of.leases_per_port if of else None,
        options=dict(of.written_options) if of else {},
    )


def _foreign(of: ForeignServer) -> ForeignServerOut:
    return ForeignServerOut(of.interface, of.address, of.mac, of.client, of.first, of.last)


async def leases(request: web.Request) -> web.Response:
    """Addresses that were leased."""
    wanted = listing.asked(request, LEASES)
    found, views = await request.app[SERVICES].network.leases(wanted)
    return answer(listing.page(found, [_lease(each, wanted.now) for each in views]))


def _lease(view: LeaseView, now: float) -> LeaseOut:
    of = view.lease
    return LeaseOut(
        interface=of.interface,
        address=str(of.address),
        mac=of.mac,
        hostname=of.hostname,
        machine=view.machine,
        machine_name=view.machine_name,
        state=of.state,
        active=is_held(of, now),
        since=of.start,
        until=of.end,
        port=of.port,
    )


async def forget_lease(request: web.Request) -> web.Response:
    """Free an address at once; its holder uses it until it renews, and then asks anew."""
    interface, address = _part(request, "interface"), _part(request, "address")
    confirm = given(request, CONFIRM_QUERY).get("confirm")
    await request.app[SERVICES].network_wishes.forget_lease(interface, address, confirm, request[USER])
    return web.Response(status=204)


async def reservations(request: web.Request) -> web.Response:
    """Addresses that are kept, of machines and of what is none."""
    found, views = await request.app[SERVICES].network.reservations(listing.asked(request, RESERVATIONS))
    return answer(listing.page(found, [_reservation(each) for each in views]))


def _reservation(of: ReservationView) -> ReservationOut:
    key = of.owner if of.kind == "other" else ""
    words = of.owned("mac"), of.owned("uuid"), of.owned("port")
    return ReservationOut(of.kind, key, *words, of.address, of.name, of.note, of.machine)


async def reserve(request: web.Request) -> web.Response:
    """Keep an address for an interface that is no machine's, a board, or a port of a relay."""
    wanted = await body(request, ReservationIn)
    new = NewReservation(wanted.mac, wanted.address, wanted.name or None, wanted.note, wanted.uuid, wanted.port)
    made = await request.app[SERVICES].network_wishes.reserve(new, request[USER])
    view = ReservationView("other", None, made.name or "", made.owner, made.address, made.note)
    return answer(_reservation(view), 201)


async def unreserve(request: web.Request) -> web.Response:
    """Give a reservation up that is no machine's, by the key that the list has."""
    await request.app[SERVICES].network_wishes.unreserve(_part(request, "key"), request[USER])
    return web.Response(status=204)


async def names(request: web.Request) -> web.Response:
    """Every name that DNS gives now, and those that it does not since they are somebody else's."""
    wanted = listing.asked(request, NAMES)
    every = request.app[SERVICES].network.names()
    page = name_page(every, dict(wanted.filters), wanted.sort, wanted.limit, wanted.cursor)
    return answer(listing.Page(items=[_name(each) for each in page.items], next=page.next, total=page.total))


def _name(of: NameView) -> NameOut:
    return NameOut(of.name, of.type, of.value, of.owner, of.of, of.until, of.hidden_by)


async def add_name(request: web.Request) -> web.Response:
    """Add a record to the site's domain."""
    wanted = await body(request, NameIn)
    new = NewRecord(wanted.name, wanted.type, wanted.value, wanted.note)
    return answer(_record(await request.app[SERVICES].network_wishes.add_name(new, request[USER])), 201)


def _record(of: DnsRecord) -> RecordOut:
    return RecordOut(of.id, of.name, of.type, of.value, of.note, of.created)


async def delete_name(request: web.Request) -> web.Response:
    """Delete a record that a user added."""
    key = _part(request, "key")
    if not key.isdecimal() or len(key) > 15:
        text = f"{key[:40]!r} is no record that a user added"
        raise Conflict("record-managed", text, "a managed name goes with the machine, deployment or lease it is of")
    await request.app[SERVICES].network_wishes.delete_name(int(key), request[USER])
    return web.Response(status=204)


async def sightings(request: web.Request) -> web.Response:
    """What was seen on the network and is not here: how far it came, and why not further."""
    wanted = listing.asked(request, SIGHTINGS)
    found, views = await request.app[SERVICES].network.sightings(wanted)
    return answer(listing.page(found, [_sighting(each) for each in views]))


async def sighting(request: web.Request) -> web.Response:
    """What was seen of one interface."""
    return answer(_sighting(await request.app[SERVICES].network.sighting(_part(request, "mac"))))


def _sighting(view: SightingView) -> SightingOut:
    of = view.sighting
    same = "mac interface first last stage_at asked offered fetched firmware architecture vendor_class user_class"
    return SightingOut(
        **{name: getattr(of, name) for name in (*same.split(), "hostname", "address", "other_server", "file")},
        machine=view.machine,
        machine_name=view.machine_name,
        stage=of.stage.word,
        stage_text=STAGE_TEXTS[of.stage],
        cause=view.cause,
        hint=view.hint,
    )


async def forget_sighting(request: web.Request) -> web.Response:
    """Forget what was seen of one interface; it comes back with its next sign."""
    await request.app[SERVICES].network_wishes.forget_sighting(_part(request, "mac"), request[USER])
    return web.Response(status=204)


def _part(request: web.Request, name: str) -> str:
    return storable(request.match_info[name], name)
