"""The appliance's own networks for programs: interfaces with their addresses, changed on trial."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.networking.layout import BondMode, Interface, Kind, Layout, Method, Role
from appliance.privileged.verbs.network import NetworkStatus, Seen
from appliance.reconcile.own_networks import Change, Standing
from appliance.web.api.body import answer, body, storable
from appliance.web.api.query import Param, given
from appliance.web.here import here, over
from appliance.web.keys import SERVICES, USER

Text = Annotated[str, msgspec.Meta(max_length=100)]
Texts = Annotated[list[Text], msgspec.Meta(max_length=32)]


class InterfaceIn(msgspec.Struct, forbid_unknown_fields=True):
    """An interface as it is to be. One that is not there is made; a NIC is there as long as it is plugged in."""

    kind: Kind = "nic"
    mac: Text = ""
    """Of a NIC: the address that it was made with. It may be left out for one that is there."""
    ports: Texts = []
    """Of a bond or a bridge: what is in it. A new one takes over the addresses and roles of its ports."""
    mode: BondMode = "active-backup"
    """Of a bond."""
    parent: Text = ""
    """Of a VLAN: the interface that carries it."""
    tag: int = 0
    """Of a VLAN: 1 to 4094."""
    method: Method = "none"
    """Where its addresses come from."""
    addresses: Texts = []
    """With their prefixes; for ``static``."""
    gateway: Text = ""
    """The router to everywhere else; of one interface only."""
    dns: Texts = []
    """Name servers; for ``static``."""
    roles: list[Role] = []
    """What its network is for: what listens there, and what the firewall lets in, follow from that."""
    confirm: Text | None = None
    """The word that the answer to ``only_plan`` has in ``confirm``."""
    only_plan: bool = False
    """Say what it would mean, and change nothing."""


class InterfaceOut(msgspec.Struct):
    """An interface as it was confirmed."""

    name: str
    kind: Kind
    mac: str
    ports: list[str]
    mode: BondMode
    parent: str
    tag: int
    method: Method
    addresses: list[str]
    gateway: str
    dns: list[str]
    roles: list[Role]


class LayoutIn(msgspec.Struct, forbid_unknown_fields=True):
    """All interfaces as they are to be; what is left out of one is as if it were empty."""

    interfaces: Annotated[list[Interface], msgspec.Meta(max_length=64)]
    nat: bool = False
    """Whether machines of the provisioning networks reach everything else through the management network."""
    confirm: Text | None = None
    """The word that the answer to ``only_plan`` has in ``confirm``."""
    only_plan: bool = False
    """Say what it would mean, and change nothing."""


class SeenOut(msgspec.Struct):
    """An interface as the kernel has it at this moment."""

    name: str
    mac: str
    is_nic: bool
    """Whether it is hardware."""
    link: bool
    """Whether there is somebody at the other end of the cable."""
    speed: int
    """Mbit/s; 0 where that is not known."""
    driver: str
    addresses: list[str]


class TrialOut(msgspec.Struct):
    """A change that is on, and not confirmed yet."""

    interfaces: list[InterfaceOut]
    nat: bool
    until: float
    """Unix time at which it is taken back by itself."""


class RevertedOut(msgspec.Struct):
    """The last change that was taken back."""

    at: float
    """Unix time."""
    why: str


class NetworkOut(msgspec.Struct):
    """The appliance's own networks."""

    here: bool
    """False: this computer is no flashed appliance, and its network belongs to its administrator."""
    trouble: str
    """Why nothing is known of them; empty where it is."""
    interfaces: list[InterfaceOut]
    """As they were confirmed: what comes back."""
    nat: bool
    trial: TrialOut | None
    reverted: RevertedOut | None
    """Until another change is tried."""
    seen: list[SeenOut]


class ChangeOut(msgspec.Struct):
    """What a change means, and until when it is tried."""

    lines: list[str]
    """What changes, in words."""
    lost: str
    """What who asks loses, and the way back; empty where they go on as before."""
    target: str
    """The address at which to go on; empty where it stays, or is not known."""
    confirm: str
    """The word that has to be sent with it; empty where none is needed."""
    until: float | None
    """Unix time at which it is taken back unless it is confirmed; null: it was not tried."""


DELETE_QUERY = (
    Param("confirm", str, "the word that only_plan says"),
    Param("only_plan", bool, "true: say what it would mean, and change nothing"),
)


async def show(request: web.Request) -> web.Response:
    """The appliance's own networks: as they were confirmed, as they are tried, and as they are."""
    return answer(network_out(await request.app[SERVICES].own_networks.standing()))


def network_out(of: Standing) -> NetworkOut:
    """As programs are told."""
    status = of.status or NetworkStatus(Layout(), None, None, ())
    trial, back = status.trial, status.reverted
    return NetworkOut(
        here=of.here,
        trouble=of.trouble,
        interfaces=_interfaces(status.layout),
        nat=status.layout.nat,
        trial=TrialOut(_interfaces(trial.layout), trial.layout.nat, trial.until) if trial else None,
        reverted=RevertedOut(back.at, back.why) if back else None,
        seen=[_seen(each) for each in status.seen],
    )


def _interfaces(layout: Layout) -> list[InterfaceOut]:
    return [
        InterfaceOut(
            each.name, each.kind, each.mac, list(each.ports), each.mode, each.parent, each.tag, each.method,
            list(each.addresses), each.gateway, list(each.dns), list(each.roles),
        )
        for each in layout.interfaces
    ]  # fmt: skip


def _seen(of: Seen) -> SeenOut:
    return SeenOut(of.name, of.mac, of.is_nic, of.link, of.speed, of.driver, list(of.addresses))


async def put_interface(request: web.Request) -> web.Response:
    """Have an interface so, on trial for 60 seconds or until it is confirmed."""
    asked, own = await body(request, InterfaceIn), request.app[SERVICES].own_networks
    name = storable(request.match_info["name"], "name")
    present = await own.interface(name)
    mac = asked.mac.lower() or (present.mac if present else "")
    wanted = Interface(
        name, asked.kind, mac, tuple(asked.ports), asked.mode, asked.parent,
        asked.tag, asked.method, tuple(asked.addresses), asked.gateway, tuple(asked.dns), tuple(asked.roles),
    )  # fmt: skip
    return await _tried(request, await own.with_interface(wanted, *over(request)), asked.confirm, asked.only_plan)


async def delete_interface(request: web.Request) -> web.Response:
    """Take a bond, VLAN or bridge away, on trial; its first port gets what it had."""
    name, query = storable(request.match_info["name"], "name"), given(request, DELETE_QUERY)
    change = await request.app[SERVICES].own_networks.without_interface(name, *over(request))
    return await _tried(request, change, query.get("confirm"), bool(query.get("only_plan")))


async def put_layout(request: web.Request) -> web.Response:
    """Have all interfaces so, on trial for 60 seconds or until it is confirmed."""
    asked = await body(request, LayoutIn)
    layout = Layout(tuple(asked.interfaces), asked.nat)
    change = await request.app[SERVICES].own_networks.with_layout(layout, *over(request))
    return await _tried(request, change, asked.confirm, asked.only_plan)


async def _tried(request: web.Request, change: Change, confirm: str | None, only_plan: bool) -> web.Response:
    until = None
    if not only_plan:
        until = await request.app[SERVICES].own_networks.apply(change, confirm, request[USER])
    plan = change.plan
    return answer(ChangeOut(list(plan.lines), plan.lost, plan.target, plan.confirm, until))


async def confirm(request: web.Request) -> web.Response:
    """Keep what is tried; to be asked over the new network."""
    await request.app[SERVICES].own_networks.confirm(request[USER], here(request))
    return web.Response(status=204)


async def revert(request: web.Request) -> web.Response:
    """Take back what is tried, at once."""
    await request.app[SERVICES].own_networks.revert(request[USER])
    return web.Response(status=204)
