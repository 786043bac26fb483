"""VMs for programs. What works with them is imported once somebody asks for one."""

from typing import Any, Literal

from aiohttp import web

from appliance.store.listing import Condition, Filter, Listing, Sort
from appliance.vm import Order
from appliance.web.api import listing, outward, tasks
from appliance.web.api import vm_shapes as shapes
from appliance.web.api.body import answer, body, key
from appliance.web.api.query import Param, Word, given
from appliance.web.doors import Handler
from appliance.web.keys import SERVICES, USER

LARGEST = 10_000
"""VMs of a page at most: each page asks all hosts anew."""


def _asked_of_hosts(_value: object, _now: float) -> tuple[Condition, ...]:
    """No SQL."""
    return ()


# Declared as other lists are, for its parameters; hosts are asked what they have, and no SQL is made of this.
VMS = Listing(
    table="hosts",
    columns="",
    id="",
    default="name",
    sorts={each: Sort(each) for each in ("name", "host", "state", "cpus", "memory")},
    filters={
        "q": Filter(Word, _asked_of_hosts, "words in the name, or the beginning of the id"),
        "host": Filter(Word, _asked_of_hosts, "name or number of a host; those of all hosts when left out"),
        "state": Filter(list[shapes.StateName], _asked_of_hosts, "in which state it is"),
        "ours": Filter(bool, _asked_of_hosts, "true: only those that this appliance made; false: only others"),
        "old": Filter(bool, _asked_of_hosts, "true: only those whose host does not answer"),
    },
    largest=LARGEST,
)
QUERY = listing.params(VMS)
CONSEQUENCES_QUERY = (
    Param("action", Literal["delete"], "what would be done", needed=True),
    Param("disks", bool, "true: its volumes are deleted with it"),
)
ORDERS = (Order.START, Order.PAUSE, Order.RESUME, Order.RESET, Order.OFF)
"""What is done at once, each at an address of its own."""


async def index(request: web.Request) -> web.Response:
    """VMs of all hosts, with the states in which they are; of a host that does not answer, what it had."""
    from appliance.reconcile.vms.vm_page import Wanted, vm_page
    from appliance.web.api.vm_answers import vm

    asked = listing.asked(request, VMS)
    filters: dict[str, Any] = {**asked.filters, "state": tuple(asked.filters.get("state", ()))}
    everything = await request.app[SERVICES].vms().list()
    found = vm_page(everything.vms, Wanted(**filters), asked.sort or VMS.default, asked.limit, asked.cursor)
    return answer(listing.Page([vm(each) for each in found.items], found.next, found.total))


async def show(request: web.Request) -> web.Response:
    """One VM with its definitions."""
    return await _shown(request, key(request))


async def create(request: web.Request) -> web.Response:
    """Make a VM: its volumes, then its definition. What fails is taken back."""
    from appliance.web.api.vm_answers import wish

    asked = await body(request, shapes.VmIn)
    task = await request.app[SERVICES].vms().create(wish(asked), request[USER])
    return await tasks.shown(request, str(task.id))


async def change(request: web.Request) -> web.Response:
    """Change what is stored of a VM; ``needs_restart`` says what one that runs gets at its next start only."""
    from appliance.web.api.vm_answers import change as changes

    asked, vms = await body(request, shapes.VmChangeIn), request.app[SERVICES].vms()
    which = (await vms.find(key(request))).seen.id
    await vms.change(which, changes(asked), asked.revision, request[USER])
    return await _shown(request, which)


async def add_disk(request: web.Request) -> web.Response:
    """Give a VM one more disk; one that runs sees it after its next start."""
    from appliance.web.api.vm_answers import disk

    asked = await body(request, shapes.DiskIn)
    task = await request.app[SERVICES].vms().add_disk(key(request), disk(asked), request[USER])
    return await tasks.shown(request, str(task.id))


def ordering(order: Order) -> Handler:
    """The handler of one order; it is carried out when it answers."""

    async def act(request: web.Request) -> web.Response:
        await body(request, shapes.VmNothingIn)
        await request.app[SERVICES].vms().order(key(request), order, request[USER])
        return await _shown(request, key(request))

    act.__name__ = f"order_{order.replace('-', '_')}"
    act.__doc__ = _SAYS[order]
    return act


_SAYS = {
    Order.START: "Switch a VM on.",
    Order.PAUSE: "Let a VM stand still; its memory stays.",
    Order.RESUME: "Let a VM go on that is paused or asleep.",
    Order.RESET: "Start a VM again at once, as by the button on a box; its system is not asked.",
    Order.OFF: "Switch a VM off at once, as if its plug was drawn; what is not written yet is lost.",
}


async def shut_down(request: web.Request) -> web.Response:
    """Ask a VM's agent, then press its power button; after ``patience`` seconds it is switched off."""
    asked = await body(request, shapes.ShutDownIn)
    task = await request.app[SERVICES].vms().shut_down(key(request), request[USER], asked.patience)
    return await tasks.shown(request, str(task.id))


async def delete(request: web.Request) -> web.Response:
    """Switch a VM off and delete it, with the volumes that are its own or without; confirmed by its name."""
    asked = await body(request, shapes.VmDeleteIn)
    vms = request.app[SERVICES].vms()
    task = await vms.delete(key(request), asked.confirm, request[USER], with_disks=asked.disks)
    return await tasks.shown(request, str(task.id))


async def consequences(request: web.Request) -> web.Response:
    """What it would mean to delete a VM."""
    with_disks = given(request, CONSEQUENCES_QUERY).get("disks", False)
    foreseen = await request.app[SERVICES].vms().delete_consequences(key(request), with_disks=with_disks)
    return answer(outward.consequences(foreseen))


async def _shown(request: web.Request, which: str) -> web.Response:
    from appliance.web.api.vm_answers import detail

    return answer(detail(await request.app[SERVICES].vms().get(which)))
