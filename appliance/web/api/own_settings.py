"""The settings of a flashed appliance, for programs: names, clock, DNS, its subnets, and the disks for data."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web

from appliance.config_subnets import SubnetSection
from appliance.web.api.body import answer, body, storable
from appliance.web.api.query import Param, given
from appliance.web.keys import SERVICES, USER

Text = Annotated[str, msgspec.Meta(max_length=255)]
Line = Annotated[str, msgspec.Meta(max_length=4000)]
Texts = Annotated[list[Text], msgspec.Meta(max_length=32)]
Mode = Literal["authoritative", "proxy", "reservations", "off"]
Unknown = Literal["enlist", "local-disk", "ignore"]
Unset = msgspec.UnsetType


class GeneralIn(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    host_name: Text | Unset = msgspec.UNSET
    """One label of DNS."""
    domain: Text | Unset = msgspec.UNSET
    """Of the appliance, its machines and deployments."""
    time_zone: Text | Unset = msgspec.UNSET
    """As ``Europe/Vienna``."""
    time_servers: Texts | Unset = msgspec.UNSET
    """Names or addresses; none: those that the image comes with."""
    forwarders: Texts | Unset = msgspec.UNSET
    """Addresses of the name servers that are asked for all names but ours."""
    version: Text = ""
    """That of the settings as you saw them: nothing is changed where somebody else has changed them meanwhile."""
    only_plan: bool = False
    """Say what it would mean, and change nothing."""


class SubnetSettingsIn(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays; null takes a key out of the file, so that what holds by itself holds."""

    ranges: Texts | Unset | None = msgspec.UNSET
    """``FIRST-LAST``: addresses to give."""
    lease_seconds: int | Unset | None = msgspec.UNSET
    gateway: Text | Unset | None = msgspec.UNSET
    dns: Texts | Unset | None = msgspec.UNSET
    """Name servers for the clients; null: the appliance."""
    ntp: Texts | Unset | None = msgspec.UNSET
    """Time servers for the clients."""
    package_proxy: Text | Unset | None = msgspec.UNSET
    """HTTP proxy by which systems that are deployed there get their packages."""
    relays: Texts | Unset | None = msgspec.UNSET
    """Of a subnet that only relays reach: their addresses."""
    mode: Mode | Unset | None = msgspec.UNSET
    """This and the next four fix in the file what users switch otherwise; null: they switch it."""
    serve_non_pxe: bool | Unset | None = msgspec.UNSET
    unknown_machines: Unknown | Unset | None = msgspec.UNSET
    other_servers: Literal["refuse", "ignore"] | Unset | None = msgspec.UNSET
    network_roots: Literal["trust", "ask"] | Unset | None = msgspec.UNSET
    boot_program: Text | Unset | None = msgspec.UNSET
    identify_by: Literal["mac", "client-id"] | Unset | None = msgspec.UNSET
    leases_per_port: int | Unset | None = msgspec.UNSET
    tftp_block_size: int | Unset | None = msgspec.UNSET
    options: dict[Text, Line] | Unset = msgspec.UNSET
    """All further DHCP options, by name or number."""
    version: Text = ""
    """That of the settings as you saw them."""
    only_plan: bool = False
    """Say what it would mean, and change nothing."""


class NewSubnetIn(msgspec.Struct, forbid_unknown_fields=True):
    """A network where machines are to boot; the address and its prefix are those that the interface has."""

    interface: Text
    """One with the role provisioning that is not served yet."""
    mode: Mode = "authoritative"
    """Who gives addresses there; switched under ``/network/subnets`` afterwards."""
    ranges: Texts = []
    """``FIRST-LAST``: addresses to give."""
    gateway: Text = ""
    unknown_machines: Unknown = "enlist"
    package_proxy: Text = ""
    version: Text = ""
    """That of the settings as you saw them."""
    only_plan: bool = False
    """Say what it would mean, and change nothing."""


class SubnetSettingsOut(msgspec.Struct):
    """A subnet, as the configuration file says it."""

    subnet: str
    """Its name: the interface, or the network where only relays reach it."""
    interface: str
    network: str | None
    relays: list[str]
    mode: str | None
    """Null, as with the other rules: switched by users."""
    ranges: list[str]
    lease_seconds: int
    gateway: str | None
    dns: list[str] | None
    ntp: list[str]
    unknown_machines: str | None
    serve_non_pxe: bool | None
    boot_program: str | None
    other_servers: str | None
    network_roots: str | None
    identify_by: str
    leases_per_port: int | None
    tftp_block_size: int
    package_proxy: str
    options: dict[str, str]
    """Further DHCP options, by name or number."""


class FreeOut(msgspec.Struct):
    """An interface with the role provisioning that no subnet is served on."""

    interface: str
    address: str
    """With its prefix; empty: it has none, and cannot be served until it has."""
    ranges: list[str]
    """Proposed."""
    gateway: str
    """Proposed."""


class OwnSettingsOut(msgspec.Struct):
    """The settings of a flashed appliance."""

    here: bool
    """False: this computer is no flashed appliance, and its file belongs to its administrator."""
    trouble: str
    """Why they are not known; empty where they are."""
    text: str
    """The configuration file."""
    version: str = ""
    """Of the settings: another one whenever they change."""
    host_name: str = ""
    domain: str = ""
    time_zone: str = ""
    time_servers: list[str] = []
    forwarders: list[str] = []
    subnets: list[SubnetSettingsOut] = []
    free: list[FreeOut] = []
    """Where a subnet could be made."""


class SettingsChangeOut(msgspec.Struct):
    """What a change means."""

    lines: list[str]
    """In words; none: nothing would change."""
    difference: str
    """Lines of the configuration file that go and come."""
    confirm: str
    """The word that has to be sent with it; empty where none is needed."""
    begins_anew: bool
    """Whether the daemon begins anew with it, which takes some seconds."""
    done: bool


class DataDiskOut(msgspec.Struct):
    """A disk of the appliance, as one for data."""

    name: str
    """The kernel's, good for this boot only."""
    identifier: str
    """Its serial number or WWN, by which it is named here."""
    model: str
    bytes: int
    content: str
    """What is on it; empty: nothing known."""
    chosen: bool
    """Whether it is in the data group."""
    refused: str
    """Why it cannot be chosen; empty where it can."""


class DataDisksOut(msgspec.Struct):
    """The data group: what images, volumes and VMs are to be kept on."""

    here: bool
    """False: this computer is no flashed appliance."""
    trouble: str
    chosen: list[str]
    """Identifiers of the disks in it; none: it was left for later."""
    disks: list[DataDiskOut]


class DataDisksIn(msgspec.Struct, forbid_unknown_fields=True):
    """Disks that are taken into the data group; all that is on them is lost."""

    disks: Texts
    """Serial numbers or WWNs."""
    confirm: Annotated[str, msgspec.Meta(max_length=4000)] | None = None
    """The identifiers of those that hold something, with commas between, as ``only_plan`` says."""
    only_plan: bool = False
    """Say what it would mean, and change nothing."""


REMOVE_QUERY = (
    Param("confirm", str, "the name of the subnet"),
    Param("version", str, "that of the settings as you saw them"),
    Param("only_plan", bool, "true: say what it would mean, and change nothing"),
)
# What changes settings is imported when it is needed: a daemon at rest has no use for it.


async def show(request: web.Request) -> web.Response:
    """The settings as they are, and where a subnet could be made."""
    from appliance.settings.general import general
    from appliance.settings.subnets import free
    from appliance.web.own_settings import standing

    found = await standing(request.app[SERVICES])
    if found.present is None:
        return answer(OwnSettingsOut(found.here, found.trouble, found.text))
    now, of = general(found.present), found.present
    return answer(
        OwnSettingsOut(
            True, "", found.text, of.version, now.host_name, now.domain, now.time_zone,
            list(now.time_servers), list(now.forwarders),
            [_subnet(each) for each in of.config.subnet],
            [FreeOut(f.interface.name, str(f.address or ""), list(f.ranges), f.gateway) for f in free(of)],
        )
    )  # fmt: skip


def _subnet(of: SubnetSection) -> SubnetSettingsOut:
    names = (name for name in SubnetSettingsOut.__struct_fields__ if name != "subnet")
    values: dict[str, Any] = {name: getattr(of, name) for name in names}
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return SubnetSettingsOut(subnet=of.key, **values | {"options": dict(of.options)})


def _given(asked: msgspec.Struct) -> dict[str, Any]:
    """What was said of each key; lists as tuples."""
    said = {name: getattr(asked, name) for name in asked.__struct_fields__ if name not in ("version", "only_plan")}
    kept = {name: value for name, value in said.items() if value is not msgspec.UNSET}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}


async def change(request: web.Request) -> web.Response:
    """Change names, clock, or DNS."""
    from dataclasses import replace

    from appliance.web.own_settings import plan_general

    asked = await body(request, GeneralIn)
    plan = await plan_general(request.app[SERVICES], lambda now: replace(now, **_given(asked)))
    return await _done(request, plan, asked.version, None, asked.only_plan)


async def add_subnet(request: web.Request) -> web.Response:
    """Serve a network where machines are to boot."""
    from appliance.settings.subnets import New, added

    asked = await body(request, NewSubnetIn)
    new = New(**_given(asked))
    return await _done(request, lambda of: added(of, new), asked.version, None, asked.only_plan)


async def change_subnet(request: web.Request) -> web.Response:
    """Change what the file says of a subnet."""
    from appliance.web.own_settings import plan_subnet

    asked, name = await body(request, SubnetSettingsIn), storable(request.match_info["interface"], "interface")
    wanted = _given(asked)
    options = wanted.pop("options", None)
    plan = await plan_subnet(request.app[SERVICES], name, wanted, options)
    return await _done(request, plan, asked.version, None, asked.only_plan)


async def remove_subnet(request: web.Request) -> web.Response:
    """Serve a subnet no more; ``only_plan`` says what is lost."""
    from appliance.web.own_settings import plan_removal

    name, query = storable(request.match_info["interface"], "interface"), given(request, REMOVE_QUERY)
    plan = await plan_removal(request.app[SERVICES], name)
    return await _done(request, plan, query.get("version") or "", query.get("confirm"), bool(query.get("only_plan")))


async def _done(
    request: web.Request, plan: Callable[[Any], Any], version: str, confirm: str | None, only_plan: bool
) -> web.Response:
    from appliance.web.own_settings import carry_out, foresee

    services = request.app[SERVICES]
    if only_plan:
        found = await foresee(services, plan, version)
    else:
        found = await carry_out(services, plan, version, confirm, request[USER])
    out = SettingsChangeOut(list(found.lines), found.difference, found.confirm, found.begins_anew, not only_plan)
    return answer(out)


async def disks(request: web.Request) -> web.Response:
    """The disks of the data group, and those that it could have."""
    from appliance.web.data_disks import standing

    found = await standing(request.app[SERVICES])
    listed = [
        DataDiskOut(
            each.name, each.identifier, each.model, each.bytes, each.content, found.is_chosen(each), found.refused(each)
        )
        for each in found.disks
    ]
    return answer(DataDisksOut(found.here, found.trouble, list(found.chosen), listed))


async def take_disks(request: web.Request) -> web.Response:
    """Clear disks and take them into the data group."""
    from appliance.web.data_disks import foresee, take

    asked, services = await body(request, DataDisksIn), request.app[SERVICES]
    if asked.only_plan:
        taking = await foresee(services, asked.disks)
    else:
        taking = await take(services, asked.disks, asked.confirm, request[USER])
    return answer(SettingsChangeOut(list(taking.lines), "", taking.confirm, False, not asked.only_plan))
