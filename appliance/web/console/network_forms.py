"""Forms of the network: an address kept for what is no machine, a name of one's own, and the end of either."""

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.reconcile.network_wishes import NewRecord, NewReservation
from appliance.reconcile.reserved_for import parse_owner, said
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES

TYPES = {
    "A": "an IPv4 address",
    "AAAA": "an IPv6 address",
    "CNAME": "another name for a name",
    "SRV": "where a service is",
    "TXT": "a text",
}
"""Types of records, and what their values are."""
RESERVATION = ("mac", "uuid", "port", "address", "name", "note")
RECORD = ("name", "type", "value", "note")


async def new_reservation(request: web.Request) -> web.Response:
    """GET /network/reservations/new; parameters fill fields in, as a link from what was seen does."""
    return _reservation_page(request, {name: request.query.get(name, "") for name in RESERVATION})


def _reservation_page(request: web.Request, typed: dict[str, str], error: ApplianceError | None = None) -> web.Response:
    errors = {error.field or "form": error} if error else {}
    status = 422 if error else 200
    return render(request, "network_reservation_new.html", status=status, typed=typed, errors=errors)


async def reserve(request: web.Request) -> web.Response:
    """POST /network/reservations/new"""
    sent = await fields(request)
    typed = {name: text(sent, name).strip() for name in RESERVATION}
    words = typed["address"], typed["name"] or None, typed["note"], typed["uuid"], typed["port"]
    new = NewReservation(typed["mac"], *words)
    try:
        await request.app[SERVICES].network_wishes.reserve(new, who(request))
    except (Invalid, Conflict) as error:
        return _reservation_page(request, typed, error)
    return see_other("/network/reservations")


async def ask_unreserve(request: web.Request) -> web.Response:
    """GET /network/reservations/{key}/delete"""
    owner = parse_owner(request.match_info["key"])
    return confirm_page(
        request,
        title=f"Give up the reservation of {said(owner)}",
        texts=("It may hold its address until its lease ends; then anybody may be given it.",),
        button="Give it up",
        back="/network/reservations",
        danger=False,
    )


async def unreserve(request: web.Request) -> web.Response:
    """POST /network/reservations/{key}/delete"""
    await request.app[SERVICES].network_wishes.unreserve(request.match_info["key"], who(request))
    return see_other("/network/reservations")


async def new_record(request: web.Request) -> web.Response:
    """GET /network/names/new"""
    return _record_page(request, dict.fromkeys(RECORD, ""))


def _record_page(request: web.Request, typed: dict[str, str], error: ApplianceError | None = None) -> web.Response:
    errors = {error.field or "form": error} if error else {}
    status = 422 if error else 200
    return render(request, "network_name_new.html", status=status, typed=typed, errors=errors, types=TYPES)


async def add_record(request: web.Request) -> web.Response:
    """POST /network/names/new"""
    sent = await fields(request)
    typed = {name: text(sent, name).strip() for name in RECORD}
    new = NewRecord(typed["name"], typed["type"], typed["value"], typed["note"])
    try:
        await request.app[SERVICES].network_wishes.add_name(new, who(request))
    except (Invalid, Conflict) as error:
        return _record_page(request, typed, error)
    return see_other("/network/names")


async def ask_delete_record(request: web.Request) -> web.Response:
    """GET /network/names/{key}/delete"""
    return confirm_page(
        request,
        title="Delete this record",
        texts=("Nobody resolves it any more from now on, but for those who remember it: a minute at most.",),
        button="Delete the record",
        back="/network/names?owner=record",
    )


async def delete_record(request: web.Request) -> web.Response:
    """POST /network/names/{key}/delete"""
    key = request.match_info["key"]
    if not key.isdecimal() or len(key) > 15:
        raise Conflict("record-managed", "This is no record that a user added", "it goes with what it is of")
    await request.app[SERVICES].network_wishes.delete_name(int(key), who(request))
    return see_other("/network/names?owner=record")
