"""Anything by name: pages, things to do, machines, deployments, images, ISOs, kernels, pools, volumes; machines by the
codes on their screens too. The palette of Ctrl-K shows it."""

from dataclasses import dataclass

from aiohttp import web

from appliance.accounts import Role
from appliance.screencode import MEANINGS, Waits
from appliance.store import finding
from appliance.web.console.page import NAVIGATION, render
from appliance.web.keys import SERVICES, USER

MOST = 6
"""Results of one kind: it is to go somewhere, not to browse."""
LONGEST = 100
"""Characters of the text that is looked for."""


@dataclass(frozen=True, slots=True)
class Result:
    """One place to go."""

    path: str
    word: str
    kind: str
    icon: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do that has a page of its own."""

    path: str
    word: str
    icon: str
    also: str
    """Other words that people look for it with."""
    role: Role = Role.OPERATOR


ACTS = (
    Act("/deployments/new", "New deployment", "plus", "create deploy install run"),
    Act("/images/new", "Upload an image", "upload", "add"),
    Act("/vms/new", "New VM", "plus", "create virtual machine"),
    Act("/vms/hosts", "Hosts of VMs", "server", "libvirt kvm hypervisor", Role.VIEWER),
    Act("/vms/hosts/new", "Add a host", "plus", "libvirt kvm hypervisor vms", Role.ADMIN),
    Act("/kernels", "Kernels", "cpu", "initrd vmlinuz boot", Role.VIEWER),
    Act("/isos", "ISOs", "disc-3", "cd dvd disc cdrom vm", Role.VIEWER),
    Act("/isos/new", "Upload an ISO", "upload", "add cd dvd disc"),
    Act("/storage/new", "New pool", "plus", "create storage lvm disks directory", Role.ADMIN),
    Act("/storage/adopt", "Adopt a volume group", "hard-drive", "pool lvm storage", Role.ADMIN),
    Act("/kernels/new", "Upload a kernel", "upload", "add initrd"),
    Act("/machines?state=failed", "Machines that failed", "server", "trouble error", Role.VIEWER),
    Act("/machines?state=maintenance", "Machines in maintenance", "wrench", "new", Role.VIEWER),
    Act("/machines?state=offline", "Machines that are offline", "server", "gone lost", Role.VIEWER),
    Act("/machines?state=asking", "Machines that ask to be let in", "server", "root admit wait", Role.VIEWER),
    Act("/network/seen", "Seen on the network, not here", "network", "unknown stranger mac missing", Role.VIEWER),
    Act("/network/leases", "Leases", "network", "dhcp address", Role.VIEWER),
    Act("/network/names", "Names in DNS", "network", "records", Role.VIEWER),
    Act("/network/reservations/new", "Reserve an address", "plus", "dhcp static fixed"),
    Act("/tasks", "Tasks", "list-checks", "jobs running", Role.VIEWER),
    Act("/account", "My account", "user", "password token session", Role.VIEWER),
    Act("/settings/users", "Users", "user", "roles passwords people", Role.ADMIN),
    Act("/settings/tokens", "All tokens", "user", "api programs", Role.ADMIN),
    Act("/settings/log-ins", "All log-ins", "user", "sessions", Role.ADMIN),
    Act("/settings/certificate", "Certificate", "settings", "tls https key", Role.ADMIN),
    Act("/settings/ssh", "SSH keys of the appliance", "settings", "login log-in root shell", Role.ADMIN),
    Act("/settings/audit", "Audit log", "scroll-text", "who changed what history", Role.ADMIN),
    Act("/settings/health", "Health of the appliance", "heart-pulse", "disks smart support bundle clock", Role.ADMIN),
    Act("/settings/health/factory-reset", "Factory reset", "rotate-ccw", "forget erase anew", Role.ADMIN),
    Act("/settings/backup", "Back up and restore", "download", "backup state", Role.ADMIN),
    Act("/help", "Help", "circle-question-mark", "words keys glossary", Role.VIEWER),
    Act("/docs/api", "API documentation", "book-open", "openapi rest help", Role.VIEWER),
)

_PLACES = {
    "machine": ("/machines/", "server"),
    "deployment": ("/deployments/", "layers"),
    "image": ("/images/", "disc-3"),
    "iso": ("/isos/", "disc-3"),
    "kernel": ("/kernels?q=", "cpu"),
    "pool": ("/storage/", "hard-drive"),
    "volume": ("/storage/", "hard-drive"),
    "sighting": ("/network/seen?q=", "network"),
}


async def show(request: web.Request) -> web.Response:
    """GET /find?q=: what matches, the places to go first where nothing was typed."""
    text = request.query.get("q", "").strip()[:LONGEST]
    results = _pages(text, request[USER].role)
    if text:
        found = await request.app[SERVICES].store.read(lambda db: finding.anything(db, text, MOST))
        results = [_result(each) for each in found] + results
    return render(request, "find.html", results=results, text=text)


def _pages(text: str, role: Role) -> list[Result]:
    """Pages and acts whose words begin with those typed."""
    typed = text.lower().split()
    pages = [Result(each.path, each.word, "page", each.icon) for each in NAVIGATION if _fits(typed, each.word)]
    acts = [act for act in ACTS if role.covers(act.role) and _fits(typed, f"{act.word} {act.also}")]
    return pages + [Result(act.path, act.word, "action", act.icon) for act in acts]


def _fits(typed: list[str], words: str) -> bool:
    known = words.lower().split()
    return all(any(word.startswith(part) for word in known) for part in typed)


_LET_IN = MEANINGS[Waits.LET_IN].todo
"""That is done on the machine's own page."""


def _result(found: finding.Found) -> Result:
    prefix, icon = _PLACES[found.kind]
    key = found.name if found.kind == "kernel" else found.id
    if found.kind == "volume":
        key = key.replace("/", "/volumes/")
    # What its screen says stands in its timeline, with what came before.
    tab = "/timeline" if found.kind == "machine" and found.todo and found.todo != _LET_IN else ""
    note = f"{found.note}. To do: {found.todo}" if found.todo else found.note
    return Result(f"{prefix}{key}{tab}", found.name, found.kind, icon, note)
