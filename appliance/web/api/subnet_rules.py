"""How subnets are served, switched by programs; and what goes into other people's DHCP servers."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.errors import Invalid
from appliance.netboot.dhcp.subnet import Mode, NetworkRoots, OtherServers, UnknownMachines
from appliance.netboot.snippets import ServerKind, snippet
from appliance.web.api import network, outward
from appliance.web.api.body import answer, body, storable
from appliance.web.api.query import Param, given
from appliance.web.keys import SERVICES, USER


class SubnetChangeIn(msgspec.Struct, forbid_unknown_fields=True):
    """How to serve a subnet from now on; null leaves a rule as it is. What the configuration file fixes stays."""

    mode: Mode | None = None
    serve_non_pxe: bool | None = None
    """Whether computers get addresses that neither network-boot nor are known."""
    unknown_machines: UnknownMachines | None = None
    other_servers: OtherServers | None = None
    """``refuse``: authoritative service does not begin while another DHCP server answers; ``ignore`` forces it."""
    network_roots: NetworkRoots | None = None
    """Of machines that restart by themselves: with ``ask`` they wait for their root until somebody lets them in."""
    confirm: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """The answer to what ``consequences`` asked for: the name of the subnet."""


class SnippetOut(msgspec.Struct):
    """Boot options for another DHCP server."""

    server: ServerKind
    title: str
    """The server's own name."""
    where: str
    """Where the text goes, and what to do then."""
    text: str


RULES = ("mode", "serve_non_pxe", "unknown_machines", "other_servers", "network_roots")
CONSEQUENCES_QUERY = (
    Param("mode", Mode, "how it would be served"),
    Param("serve_non_pxe", bool, "whether computers would get addresses that do not network-boot"),
    Param("unknown_machines", UnknownMachines, "what would be done with unknown machines"),
    Param("other_servers", OtherServers, "whether addresses would be given beside another DHCP server"),
    Param("network_roots", NetworkRoots, "whether machines that restart by themselves would get their roots"),
)
SNIPPET_QUERY = (
    Param("for", ServerKind, "the server that the boot options are for", needed=True),
    Param(
        "secure_boot", bool, "true: UEFI is sent shim, which machines with Secure Boot need and the others start too"
    ),
)


def _name(request: web.Request) -> str:
    return storable(request.match_info["interface"], "interface")


async def show(request: web.Request) -> web.Response:
    """One subnet."""
    return answer(network.subnet_out(await request.app[SERVICES].network.subnet(_name(request))))


async def change(request: web.Request) -> web.Response:
    """Serve a subnet in another way, at once."""
    asked = await body(request, SubnetChangeIn)
    rules = {name: value for name in RULES if (value := getattr(asked, name)) is not None}
    services = request.app[SERVICES]
    switched = await services.switches.switch(_name(request), rules, asked.confirm, request[USER])
    return answer(network.subnet_out(await services.network.subnet(switched.interface)))


async def consequences(request: web.Request) -> web.Response:
    """What it would mean to serve a subnet in another way; nothing is changed."""
    asked = given(request, CONSEQUENCES_QUERY)
    return answer(outward.consequences(await request.app[SERVICES].switches.consequences(_name(request), asked)))


async def look(request: web.Request) -> web.Response:
    """Look for other DHCP servers now, where service is authoritative."""
    request.app[SERVICES].switches.look(_name(request))
    return web.Response(status=204)


async def boot_options(request: web.Request) -> web.Response:
    """Boot options for the configuration of another DHCP server on this subnet."""
    asked = given(request, SNIPPET_QUERY)
    view = await request.app[SERVICES].network.subnet(_name(request))
    if view.subnet is None:
        text = f"the mode of {view.interface} is off in the configuration file: nothing is served there to boot"
        raise Invalid("subnet-off", text, "choose another mode there first")
    made = snippet(view.subnet, asked["for"], secure_boot=asked.get("secure_boot", False))
    return answer(SnippetOut(made.kind, made.title, made.where, made.text))
