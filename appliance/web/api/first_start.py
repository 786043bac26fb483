"""Set-up of a flashed appliance for programs: the same steps as in the browser."""

import dataclasses
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from aiohttp import web

from appliance.accounts import Role
from appliance.decoding import converted
from appliance.setup.draft import Draft, Phase, Progress, Step, accepted, open_step
from appliance.setup.hardware import Found, FoundDisk
from appliance.setup.steps import Heard
from appliance.setup.value import Management, Provisioning, Site, Storage
from appliance.web.api.accounts import logged_in
from appliance.web.api.body import answer, body
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.shapes import SessionOut
from appliance.web.arrival import ARRIVAL, first_start
from appliance.web.auth import client_address, program_of
from appliance.web.here import here
from appliance.web.keys import SERVICES, USER

T = TypeVar("T")
Line = Annotated[str, msgspec.Meta(max_length=200)]
Lines = Annotated[list[Line], msgspec.Meta(max_length=64)]


class SiteIn(msgspec.Struct, forbid_unknown_fields=True):
    """What the appliance is called, and what time it is there."""

    host_name: Line
    """One label."""
    domain: Line
    time_zone: Line = "UTC"
    """Of the tz database: ``Europe/Vienna``."""
    time_servers: Lines = []
    """Names or addresses; Debian's pool where there are none."""


class ManagementIn(msgspec.Struct, forbid_unknown_fields=True):
    """Where people and programs reach the console."""

    nic: Line
    """Name or MAC address of the interface."""
    address: Line = "dhcp"
    """``dhcp``, or an address with its prefix."""
    gateway: Line = ""
    dns: Lines = []


class ProvisioningIn(msgspec.Struct, forbid_unknown_fields=True):
    """Where machines network-boot."""

    nic: Line
    """Name or MAC address of the interface; the management network's where one is both."""
    address: Line = ""
    """``dhcp``, or an address with its prefix; empty where one network is both."""
    dhcp: Literal["authoritative", "proxy", "reservations", "off"] = "authoritative"
    ranges: Lines = []
    """``FIRST-LAST``."""
    gateway: Line = ""
    """Of the machines."""
    unknown_machines: Literal["enlist", "local-disk", "ignore"] = "enlist"
    nat: bool = False
    """Whether machines get out through the management network."""
    package_proxy: Line = ""
    """HTTP proxy by which deployed systems get their packages."""


class NetworksIn(msgspec.Struct, forbid_unknown_fields=True):
    """Both networks."""

    management: ManagementIn
    provisioning: ProvisioningIn | None = None
    """Null: to be chosen later."""
    despite_dhcp: bool = False
    """Give addresses although another DHCP server was found there, since it is going to be switched off."""


class StorageIn(msgspec.Struct, forbid_unknown_fields=True):
    """Which disks make the data group."""

    data_disks: Lines = []
    """Serial numbers or WWNs; none: what is free on the appliance's own disk."""
    confirm: Annotated[str, msgspec.Meta(max_length=8000)] = ""
    """The identifiers of those that hold something, with commas between: what is on them is lost."""


class LookIn(msgspec.Struct, forbid_unknown_fields=True):
    """Where to look for DHCP servers."""

    nic: Line


class BeginIn(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing to say beside what was answered."""


class ArriveIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who comes over the new network."""

    token: Line


class LookOut(msgspec.Struct):
    """What was heard there."""

    nic: str
    servers: list[str]
    """Addresses of DHCP servers."""
    problem: str
    """Why nobody could look; empty: somebody did."""


class FoundNicOut(msgspec.Struct):
    """One network interface of the appliance."""

    name: str
    mac: str
    link: bool
    speed: int | None
    """Mbit/s."""
    model: str
    addresses: list[str]


class FoundDiskOut(msgspec.Struct):
    """One disk of the appliance."""

    name: str
    identifier: str
    """What names it for sure; empty where nothing does."""
    model: str
    bytes: int
    content: str
    """What is on it, in words; empty: nothing."""
    own: bool
    """Whether the appliance runs from it."""
    refused: str
    """Why it cannot be chosen; empty: it can."""


class ProgressOut(msgspec.Struct):
    """How far it has gone."""

    phase: Phase
    until: float | None
    """When the network goes back by itself; Unix time."""
    left: float | None
    """Seconds until then, by the appliance's clock."""
    target: str
    """Host and port of the console afterwards; empty where it stays."""
    message: str
    failed: bool


class BegunOut(msgspec.Struct):
    """It is carried out."""

    progress: ProgressOut
    token: str
    """For POST /setup/arrive over the new network; good once."""


class SetupOut(msgspec.Struct):
    """The answers so far, and what they can be about."""

    accepted: list[Step]
    open: Step
    """The step to answer next; ``ready``: it can begin."""
    site: SiteIn | None
    management: ManagementIn | None
    provisioning: ProvisioningIn | None
    storage: StorageIn | None
    progress: ProgressOut
    nics: list[FoundNicOut]
    disks: list[FoundDiskOut]


def _progress(request: web.Request, of: Progress) -> ProgressOut:
    left = None if of.until is None else max(0.0, of.until - request.app[SERVICES].clock())
    return ProgressOut(of.phase, of.until, left, of.target, of.message, of.failed)


def _out(draft: Draft, progress: ProgressOut, found: Found) -> SetupOut:
    return SetupOut(
        accepted=list(accepted(draft)),
        open=open_step(draft),
        site=_shaped(draft.site, SiteIn),
        management=_shaped(draft.management, ManagementIn),
        provisioning=_shaped(draft.provisioning, ProvisioningIn),
        storage=_shaped(draft.storage, StorageIn),
        progress=progress,
        nics=[FoundNicOut(n.name, n.mac, n.link, n.speed, n.model, list(n.addresses)) for n in found.nics],
        disks=[_disk(each) for each in found.disks],
    )


def _shaped(value: Any, kind: type[T]) -> T | None:
    """What was answered, as it is to be sent; None where it was not."""
    return None if value is None else converted(dataclasses.asdict(value), kind)


def _disk(of: FoundDisk) -> FoundDiskOut:
    return FoundDiskOut(of.name, of.identifier, of.model, of.bytes, of.content, of.own, of.refused)


async def show(request: web.Request) -> web.Response:
    """The answers so far, and what the computer has."""
    return await _shown(request)


async def _shown(request: web.Request) -> web.Response:
    steps = first_start(request).steps
    progress = _progress(request, await steps.progress())
    return answer(_out(await steps.draft(), progress, await steps.found()))


async def progress(request: web.Request) -> web.Response:
    """How far it has gone; 404 ``setup-without-steps`` once all is done."""
    return answer(_progress(request, await first_start(request).steps.progress()))


async def put_site(request: web.Request) -> web.Response:
    """Answer the step "name and time"."""
    first, sent = first_start(request), await body(request, SiteIn)
    site = Site(sent.host_name, sent.domain, sent.time_zone, tuple(sent.time_servers))
    await first.steps.answer_site(site, request[USER])
    return await _shown(request)


async def put_networks(request: web.Request) -> web.Response:
    """Answer the step "networks"; looks for another DHCP server where we are to give the addresses."""
    first, sent = first_start(request), await body(request, NetworksIn)
    management = Management(
        sent.management.nic, sent.management.address, sent.management.gateway, tuple(sent.management.dns)
    )
    provisioning = None
    if (of := sent.provisioning) is not None:
        provisioning = Provisioning(
            of.nic, of.address, of.dhcp, tuple(of.ranges), of.gateway, of.unknown_machines, of.nat, of.package_proxy
        )
    despite = sent.despite_dhcp
    await first.steps.answer_networks(management, provisioning, request[USER], despite_dhcp=despite)
    return await _shown(request)


async def put_storage(request: web.Request) -> web.Response:
    """Answer the step "storage"."""
    first, sent = first_start(request), await body(request, StorageIn)
    await first.steps.answer_storage(Storage(tuple(sent.data_disks)), sent.confirm, request[USER])
    return await _shown(request)


async def look(request: web.Request) -> web.Response:
    """Look for DHCP servers on an interface; takes some seconds."""
    first, sent = first_start(request), await body(request, LookIn)
    heard: Heard = await first.steps.look(sent.nic)
    return answer(LookOut(sent.nic, list(heard.servers), heard.problem))


async def begin(request: web.Request) -> web.Response:
    """Carry out what was answered: the network first, on trial."""
    first, _ = first_start(request), await body(request, BeginIn)
    begun = await first.conduct.begin(request[USER], local_address(request))
    return answer(BegunOut(_progress(request, begun), await request.app[ARRIVAL].token()), 202)


async def confirm(request: web.Request) -> web.Response:
    """Keep the network that is on trial, and carry out the rest; to be asked over that network."""
    first, _ = first_start(request), await body(request, BeginIn)
    await request.app[SERVICES].own_networks.check_over(here(request))
    return answer(_progress(request, await first.conduct.confirm()))


async def arrive(request: web.Request) -> web.Response:
    """Confirm over the new network, and be logged in there."""
    first_start(request)
    given = await body(request, ArriveIn)
    await request.app[ARRIVAL].check(given.token)
    await request.app[SERVICES].own_networks.check_over(here(request))
    return logged_in(await request.app[ARRIVAL].arrive(given.token, client_address(request), program_of(request)), 201)


def local_address(request: web.Request) -> str:
    """The address of ours that the request came to; empty where that is not known."""
    local = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return str(local[0]).removeprefix("::ffff:") if local else ""


ADMIN = Role.ADMIN
FIRST_START = (
    Endpoint("GET", "/setup", show, 200, SetupOut, role=ADMIN),
    Endpoint("GET", "/setup/progress", progress, 200, ProgressOut, role=ADMIN),
    Endpoint("PUT", "/setup/site", put_site, 200, SetupOut, SiteIn, role=ADMIN),
    Endpoint("PUT", "/setup/networks", put_networks, 200, SetupOut, NetworksIn, role=ADMIN),
    Endpoint("PUT", "/setup/storage", put_storage, 200, SetupOut, StorageIn, role=ADMIN),
    Endpoint("POST", "/setup/look", look, 200, LookOut, LookIn, role=ADMIN),
    Endpoint("POST", "/setup/begin", begin, 202, BegunOut, BeginIn, role=ADMIN, secret=True),
    Endpoint("POST", "/setup/confirm", confirm, 200, ProgressOut, BeginIn, role=ADMIN),
    Endpoint("POST", "/setup/arrive", arrive, 201, SessionOut, ArriveIn, public=True),
)
"""The addresses of set-up in steps; POST /setup itself makes the first administrator."""
