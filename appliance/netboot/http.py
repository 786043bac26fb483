"""Plain HTTP on the provisioning network: boot scripts, boot files, the idle poll. Gives nothing away by MAC."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from aiohttp import web

from appliance.errors import ApplianceError, Denied, Invalid, NotFound
from appliance.machine import MacAddress, meaningful_serial, meaningful_uuid, parse_mac
from appliance.netboot import grub, ipxe
from appliance.netboot.answers import bearer, error_text, status_of
from appliance.netboot.fleet import Boot, Fleet
from appliance.netboot.idle_polls import COME, WAIT
from appliance.netboot.policy import BootRequest
from appliance.netboot.sending import SENT, Sent, send_file
from appliance.netboot.stack_files import StackFile

Fetched = Callable[[str, str, int], Awaitable[None]]
"""Told (client address, path, bytes) when a boot file has been sent."""
Proves = Callable[[MacAddress, str, str], bool]
"""Whether a request for this interface's script, from the first address to the second, ours, comes from it."""
Troubled = Callable[[MacAddress, int, str], None]
"""Told what stands on a machine's boot screen: its interface, the number of its code, the boot program's error."""
_UNAVAILABLE = 503
"""The status of what passes by itself: a store that fails, too many new machines at once."""

log = logging.getLogger(__name__)


def unheard(_mac: MacAddress, _waits: int, _error: str) -> None:
    """Stands in where nobody wants to know."""


@dataclass(frozen=True, slots=True)
class BootFiles:
    """What is served, and where."""

    programs: Path
    stack: Path
    stack_path: str
    """URL path of the stack, with the hash of its content: never changes, so that anything may cache it."""
    ca_pem: bytes
    ca_fingerprint: str
    port: int
    control_port: int
    extra: Path | None = None
    stack_files: Mapping[str, StackFile] = field(default_factory=dict)
    """The files of the stack by name."""

    def site(self, server: IPv4Address | str) -> ipxe.Site:
        """The URLs as a machine sees them that reaches us at this address."""
        port = "" if self.port == 80 else f":{self.port}"
        control = "" if self.control_port == 443 else f":{self.control_port}"
        return ipxe.Site(f"http://{server}{port}", f"https://{server}{control}", self.stack_path, self.ca_fingerprint)


class BootHttp:
    """The handlers; the daemon mounts ``make_app``."""

    def __init__(
        self,
        fleet: Fleet,
        files: BootFiles,
        clock: Callable[[], float],
        fetched: Fetched,
        proves: Proves,
        troubled: Troubled = unheard,
    ) -> None:
        self._fleet, self._files, self._clock = fleet, files, clock
        self._fetched, self._proves, self._troubled = fetched, proves, troubled
        self.sent = Sent()

    def make_app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[_plain_errors, _single_slashes], client_max_size=1 << 16)
        app[SENT] = self.sent
        app.add_routes(
            [
                web.get("/boot/start.ipxe", self._start),
                web.get("/boot/script", self._script, allow_head=False),  # asking for it counts as a boot
                web.get("/grub/grub.cfg", self._grub_start),
                web.head("/boot/grub/{mac}/{uuid}", _there),
                web.get("/boot/grub/{mac}/{uuid}", self._grub, allow_head=False),
                web.head("/boot/trouble/{mac}/{waits}", _there),
                web.get("/boot/trouble/{mac}/{waits}", self._trouble, allow_head=False),
                web.get("/boot/stack.json", self._stack_paths),
                web.get("/boot/{name}", self._program),
                web.get(self._files.stack_path + "/{name:vmlinuz|initrd|handover|handover-modules}", self._stack),
                web.get("/kernels/{kernel:[0-9]{1,12}-[0-9a-f]{16}}/handover", self._hand_over),
                web.get("/kernels/{kernel:[0-9]{1,12}-[0-9a-f]{16}}/{name:vmlinuz|handover-modules}", self._kernel),
                web.get("/ca.pem", self._ca),
                web.get("/time", self._time),
                web.get("/poll/{poll}", self._poll),
                web.get("/images/{image:[0-9]{1,12}}/content", self._image),
                web.get("/files/{path:.+}", self._extra),
            ]
        )
        return app

    async def _start(self, request: web.Request) -> web.Response:
        return web.Response(text=ipxe.start_script(self._files.site(_server(request)).server))

    async def _script(self, request: web.Request) -> web.Response:
        asked = boot_request(dict(request.query), _peer(request), _server(request), self._proves)
        site, boot = self._files.site(asked.server), await self._decided(asked)
        if isinstance(boot, Boot):
            text = ipxe.script(boot, site, asked.mac)
        else:
            text = ipxe.busy_script(site.server, boot, asked.mac)
        # A script may hold a boot token: no cache may keep it.
        return web.Response(text=text, headers={"Cache-Control": "no-store"})

    async def _grub_start(self, request: web.Request) -> web.Response:
        """Where GRUB looks that firmware has loaded by HTTP."""
        return web.Response(text=grub.start_config(self._files.site(_server(request)).server))

    async def _grub(self, request: web.Request) -> web.Response:
        """The same for signed GRUB, which knows the address of its card and the UUID."""
        said = {"mac": request.match_info["mac"], "uuid": request.match_info["uuid"], "platform": "efi"}
        asked = boot_request(said, _peer(request), _server(request), self._proves)
        boot = await self._decided(asked)
        if isinstance(boot, Boot):
            text = grub.uefi_config(boot, self._files.site(asked.server), asked.mac)
        else:
            text = grub.busy_config(boot, asked.mac)
        return web.Response(text=text, headers={"Cache-Control": "no-store"})

    async def _decided(self, asked: BootRequest) -> Boot | str:
        """What it boots, or in words why that cannot be said now: firmware takes an error for the end, and goes on."""
        try:
            return await self._fleet.boot(asked)
        except ApplianceError as error:
            if status_of(error) != _UNAVAILABLE:
                raise
            return error.message
        except Exception:  # a defect of ours must not send a machine to whatever stands next in its firmware
            log.exception("deciding what %s boots", asked.mac)
            return "The appliance failed to decide what to boot, its log says why"

    async def _trouble(self, request: web.Request) -> web.Response:
        """What stands on a machine's boot screen; the answer is a script that does nothing."""
        mac = parse_mac(request.match_info["mac"])
        number, peer = request.match_info["waits"], _peer(request)
        if number.isascii() and number.isdigit() and self._proves(mac, peer, _server(request)):
            self._troubled(mac, int(number), cleaned(request.query.get("error")))
        return web.Response(text="# noted\n", headers={"Cache-Control": "no-store"})

    async def _program(self, request: web.Request) -> web.StreamResponse:
        return await self._file(request, self._files.programs, request.match_info["name"])

    async def _stack_paths(self, _: web.Request) -> web.Response:
        """Where the stack is, for whoever wants to look at it without booting: `qrm probe`."""
        return web.json_response({name: f"{self._files.stack_path}/{name}" for name in ("vmlinuz", "initrd")})

    async def _stack(self, request: web.Request) -> web.StreamResponse:
        return await self._file(request, self._files.stack, request.match_info["name"])

    async def _hand_over(self, request: web.Request) -> web.StreamResponse:
        """The same for every kernel; beside each, so that a boot script names one directory."""
        return await self._file(request, self._files.stack, "handover")

    async def _kernel(self, request: web.Request) -> web.StreamResponse:
        path = await self._fleet.kernel(request.match_info["kernel"], request.match_info["name"])
        return await self._file(request, path.parent, path.name)

    async def _extra(self, request: web.Request) -> web.StreamResponse:
        if self._files.extra is None:
            raise NotFound("file-unknown", f"{request.path[:200]} is not here")
        return await self._file(request, self._files.extra, request.match_info["path"])

    async def _file(self, request: web.Request, root: Path, name: str) -> web.StreamResponse:
        response = await send_file(request, inside(root, name))
        if request.method == "GET":
            await self._fetched(_peer(request), request.path, response.content_length or 0)
        return response

    async def _ca(self, _: web.Request) -> web.Response:
        return web.Response(body=self._files.ca_pem, content_type="application/x-pem-file")

    async def _time(self, _: web.Request) -> web.Response:
        return web.json_response({"now": self._clock()}, headers={"Cache-Control": "no-store"})

    async def _poll(self, request: web.Request) -> web.Response:
        """Those that `idle_polls` leaves to us: of `curl`, or of whatever else asks in its own way."""
        come = await self._fleet.poll(request.match_info["poll"])
        return web.Response(text=COME if come else WAIT)

    async def _image(self, request: web.Request) -> web.StreamResponse:
        token = bearer(request.headers.get("Authorization", ""))
        if not token:
            raise Denied("token-missing", "images are served to the machine whose attempt uses them")
        path = await self._fleet.image(token, int(request.match_info["image"]))
        return await send_file(request, path)


def boot_request(query: dict[str, str], address: str, server: str, proves: Proves) -> BootRequest:
    """A boot request from the query of a script's URL; raises Invalid without a usable MAC address."""
    if "mac" not in query:
        raise Invalid("mac-missing", "the request names no machine", "add ?mac=${netX/mac:hexhyp}", "mac")
    mac = parse_mac(query["mac"])
    return BootRequest(
        mac=mac,
        uuid=meaningful_uuid(query.get("uuid")),
        serial=meaningful_serial(cleaned(query.get("serial"))),
        firmware="uefi" if query.get("platform") == "efi" else "bios",
        product=cleaned(query.get("product")),
        manufacturer=cleaned(query.get("manufacturer")),
        address=address,
        server=server,
        proven=proves(mac, address, server),
        architecture=cleaned(query.get("arch"))[:20],
    )


def cleaned(text: str | None) -> str:
    """A string of the machine's, printable and short."""
    return "".join(c for c in (text or "") if c.isprintable())[:100].strip()


def inside(root: Path, name: str) -> Path:
    """The file below ``root`` with this relative name; raises NotFound for anything that leads elsewhere."""
    try:
        path = (root / name.lstrip("/")).resolve()
        found = path.is_relative_to(root.resolve()) and path.is_file()
    except (OSError, ValueError, RuntimeError):  # too long; a NUL in it; a loop of links
        found = False
    if not found:
        raise NotFound("file-unknown", f"{name[:200]!r} is not here")
    return path


def _peer(request: web.Request) -> str:
    name = request.transport.get_extra_info("peername") if request.transport else None
    return str(name[0]) if name else ""


def _server(request: web.Request) -> str:
    name = request.transport.get_extra_info("sockname") if request.transport else None
    return str(name[0]) if name else ""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _single_slashes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Some firmware joins a directory and a name with a slash too many; redirects would lose it."""
    if "//" not in request.path:
        return await handler(request)
    folded = request.clone(rel_url=request.rel_url.with_path(re.sub(r"/{2,}", "/", request.path), keep_query=True))
    match = await request.app.router.resolve(folded)
    folded._match_info = match
    match.add_app(request.app)
    return await match.handler(folded)


async def _there(_: web.Request) -> web.Response:
    """GRUB that was loaded by HTTP asks by HEAD whether a file is there, and then by GET: only that one counts."""
    return web.Response(headers={"Cache-Control": "no-store"})


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as text: who reads them is a boot screen."""
    try:
        return await handler(request)
    except ApplianceError as error:
        return web.Response(status=status_of(error), text=error_text(error))
