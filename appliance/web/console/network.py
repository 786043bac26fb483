"""The network: subnets, leases, reservations, names, and what was seen on it and is not here."""

from aiohttp import web

from appliance.errors import ApplianceError, Conflict
from appliance.reconcile.name_page import name_page
from appliance.reconcile.network_views import NameView
from appliance.reconcile.subnet_use import is_held
from appliance.sighting import STAGE_TEXTS
from appliance.store.network import LEASES, RESERVATIONS
from appliance.store.sightings import SIGHTINGS
from appliance.web.api.network import NAMES
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.console.paging import PER_PAGE, Shown, read, shown
from appliance.web.console.subnets import CHOICES, page_of
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES

TABS = (
    ("subnets", "Subnets", "/network"),
    ("leases", "Leases", "/network/leases"),
    ("reservations", "Reservations", "/network/reservations"),
    ("names", "Names", "/network/names"),
    ("seen", "Seen, not here", "/network/seen"),
    ("interfaces", "Interfaces", "/network/interfaces"),
)
OWNERS = {
    "machine": "a machine",
    "deployment": "a deployment",
    "lease": "a lease",
    "reservation": "a reservation",
    "record": "a user",
    "own": "the appliance",
}
"""Whose a name is, in words."""
ALL_NAMES = 100_000


async def subnets(request: web.Request) -> web.Response:
    """GET /network: each subnet with the use of its ranges, and foreign DHCP servers on it."""
    found = await request.app[SERVICES].network.subnets()
    return render(
        request, "network_subnets.html", subnets=found, tabs=TABS, tab="subnets", choices=CHOICES, page_of=page_of
    )


async def leases(request: web.Request) -> web.Response:
    """GET /network/leases, filtered by ``q`` and ``interface``."""
    network, wanted = request.app[SERVICES].network, shown(request, "/network/leases", LEASES, ("q", "interface"))
    found = await read(wanted, network.leases, 0)
    return render(request, "network_leases.html", listed=found, tabs=TABS, tab="leases", is_held=is_held)


async def ask_forget_lease(request: web.Request) -> web.Response:
    """GET /network/leases/{interface}/{address}/forget"""
    return _lease_page(request, None)


def _lease_page(request: web.Request, wrong: ApplianceError | None, confirm: str | None = None) -> web.Response:
    address = request.match_info["address"]
    return confirm_page(
        request,
        title=f"Forget the lease of {address}",
        texts=(
            "The address comes free at once, and may be given to another computer.",
            "Whoever holds it goes on using it until it renews, and is then given another one.",
        ),
        button=f"Forget the lease of {address}",
        back="/network/leases",
        confirm=confirm,
        danger=confirm is not None,
        wrong=wrong,
    )


async def forget_lease(request: web.Request) -> web.Response:
    """POST /network/leases/{interface}/{address}/forget; a machine that is up wants its name typed."""
    interface, address = request.match_info["interface"], request.match_info["address"]
    typed = text(await fields(request), "confirm").strip() or None
    try:
        await request.app[SERVICES].network_wishes.forget_lease(interface, address, typed, who(request))
    except Conflict as error:
        if error.code != "confirmation-needed":
            raise
        return _lease_page(request, error, error.hint.rpartition(" ")[2])
    return see_other("/network/leases")


async def reservations(request: web.Request) -> web.Response:
    """GET /network/reservations, filtered by ``q``."""
    network, wanted = (
        request.app[SERVICES].network,
        shown(request, "/network/reservations", RESERVATIONS, ("q", "kind")),
    )
    found = await read(wanted, network.reservations, 0)
    return render(request, "network_reservations.html", listed=found, tabs=TABS, tab="reservations")


async def names(request: web.Request) -> web.Response:
    """GET /network/names, filtered by ``q`` and ``owner``."""
    wanted: Shown[NameView] = shown(request, "/network/names", NAMES, ("q", "owner"))
    every = name_page(
        request.app[SERVICES].network.names(), dict(wanted.asked.filters), wanted.asked.sort, ALL_NAMES, ""
    )
    last = max(-(-every.total // PER_PAGE), 1)
    wanted = wanted.on_page(min(wanted.query.page, last))
    rows = every.items[wanted.asked.offset : wanted.asked.offset + PER_PAGE]
    listed = wanted.filled(rows, every.total)
    return render(request, "network_names.html", listed=listed, tabs=TABS, tab="names", owners=OWNERS)


async def seen(request: web.Request) -> web.Response:
    """GET /network/seen, filtered by ``q``, ``interface`` and ``stage``."""
    network = request.app[SERVICES].network
    wanted = shown(request, "/network/seen", SIGHTINGS, ("q", "interface", "stage"))
    found = await read(wanted, network.sightings, 0)
    return render(request, "network_seen.html", listed=found, tabs=TABS, tab="seen", stages=STAGE_TEXTS)


async def show_seen(request: web.Request) -> web.Response:
    """GET /network/seen/{mac}: all that is known of one interface."""
    view = await request.app[SERVICES].network.sighting(request.match_info["mac"])
    return render(request, "network_sighting.html", view=view, seen=view.sighting, stages=STAGE_TEXTS)


async def forget_seen(request: web.Request) -> web.Response:
    """POST /network/seen/{mac}/forget"""
    await request.app[SERVICES].network_wishes.forget_sighting(request.match_info["mac"], who(request))
    return see_other("/network/seen")
