"""Power switches for programs: how a machine is switched, and switching it."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web

from appliance.power_known import Switch
from appliance.power_order import parse_action
from appliance.power_switch import PowerSettings, parse_kind
from appliance.reconcile.controller_certificate import shown_by
from appliance.reconcile.power_wishes import proposed_address
from appliance.store import machines
from appliance.web.api import outward, shapes, tasks
from appliance.web.api.body import answer, body, key
from appliance.web.api.query import Param, given
from appliance.web.api.query import Word as Line
from appliance.web.keys import SERVICES, USER

Word = Annotated[str, msgspec.Meta(max_length=300)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Kind = Literal["manual", "wake-on-lan", "ipmi", "redfish", "libvirt"]


class PowerSettingsIn(msgspec.Struct, forbid_unknown_fields=True):
    """How a machine is switched; each kind takes some of these fields, and refuses the others."""

    kind: Kind
    address: Word = ""
    """Of the controller; ``libvirt``: of the host, such as ``qemu:///system``."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """0: the usual one."""
    user: Word = ""
    system: Word = ""
    """``redfish``: the Id of the system, where there are several. ``libvirt``: the VM."""
    fingerprint: Word = ""
    """``redfish``: SHA-256 of the controller's certificate; empty: it has to be signed by a known authority."""
    cipher_suite: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    """``ipmi``: 17, 3, 8 or 12; 0: the best that both sides know."""
    privilege: Word = ""
    """``ipmi``: administrator or operator."""
    secret: Annotated[str, msgspec.Meta(max_length=300)] | None = None
    """The password. It is stored sealed and never given out. Null keeps the one that is stored, as long as kind,
    address and port stay; empty takes it away."""


class PowerSettingsOut(msgspec.Struct):
    """How a machine is switched, without the password."""

    kind: str
    address: str
    port: int
    user: str
    system: str
    fingerprint: str
    cipher_suite: int
    privilege: str
    secret_set: bool
    """Whether a password is stored."""
    proposed_address: str
    """Of the machine's own controller, as its inventory tells it; empty: none was found."""
    power: shapes.PowerOut


class PowerActionIn(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to what ``consequences`` asked for."""

    confirm: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """The machine's name, where something may be lost."""


async def show(request: web.Request) -> web.Response:
    """How the machine is switched."""
    return await _shown(request)


async def put(request: web.Request) -> web.Response:
    """Say how the machine is switched; its switch is asked at once whether it is on."""
    given = await body(request, PowerSettingsIn)
    settings = PowerSettings(
        parse_kind(given.kind),
        given.address,
        given.port,
        given.user,
        given.system,
        given.fingerprint,
        given.cipher_suite,
        given.privilege,
    )
    await request.app[SERVICES].power_wishes.set_switch(key(request), settings, given.secret, request[USER])
    return await _shown(request)


async def _shown(request: web.Request) -> web.Response:
    machine, switch = await request.app[SERVICES].power_wishes.switch(key(request))
    return answer(_settings(switch, proposed_address(machine.inventory)))


def _settings(switch: Switch, proposed: str) -> PowerSettingsOut:
    of = switch.settings
    return PowerSettingsOut(
        kind=of.kind,
        address=of.address,
        port=of.port,
        user=of.user,
        system=of.system,
        fingerprint=of.fingerprint,
        cipher_suite=of.cipher_suite,
        privilege=of.privilege,
        secret_set=switch.secret_set,
        proposed_address=proposed,
        power=outward.power(switch),
    )


class ControllerCertificateOut(msgspec.Struct):
    """What a Redfish controller shows now; nobody has vouched for it."""

    fingerprint: str
    """SHA-256, as the settings take it."""


CERTIFICATE_QUERY = (
    Param("address", Line, "address or host name of the controller", needed=True),
    Param("port", Port, "where it is not 443"),
)


async def certificate(request: web.Request) -> web.Response:
    """The fingerprint of the certificate that a controller shows: to be compared with its own pages, then set."""
    found = given(request, CERTIFICATE_QUERY)
    await request.app[SERVICES].store.read(lambda db: machines.get(db, key(request)))
    return answer(ControllerCertificateOut(fingerprint=await shown_by(found["address"], found.get("port") or 0)))


async def delete(request: web.Request) -> web.Response:
    """Forget how the machine is switched, with the password."""
    await request.app[SERVICES].power_wishes.remove_switch(key(request), request[USER])
    return web.Response(status=204)


async def act(request: web.Request) -> web.Response:
    """Switch the machine, or ask its switch; the answer is the task that does it."""
    action = parse_action(request.match_info["action"])
    given = await body(request, PowerActionIn)
    task = await request.app[SERVICES].wishes.power(key(request), action, given.confirm, request[USER])
    return await tasks.shown(request, str(task.id))
