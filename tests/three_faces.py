"""What a user can do, and where: in the console, in the API, and with ``qrm``. One table, which a test compares."""

from typing import NamedTuple

from appliance.web.console.seed_values import FIELDS as SEED_FIELDS
from appliance.web.console.seed_values import MAKE as SEED_MAKE


class Capability(NamedTuple):
    """One thing that a user can do. Several addresses or commands for it stand side by side."""

    what: str
    console: str
    api: str
    qrm: str


def _row(what: str, console: str, api: str, qrm: str) -> Capability:
    return Capability(what, console, api, qrm)


FIND = "find, machines list, deployments list, images list, kernels list"
"""Each by words, with -q."""

VOLUME = "/storage/{pool}/volumes/{volume}"
"""Of the console."""
VOLUMES = "/pools/{key}/volumes"
"""Of the API."""

CAPABILITIES = (
    # -- access
    _row("make the first administrator", "POST /setup", "POST /setup", "setup"),
    _row(
        "set a flashed appliance up",
        "POST /setup/site, POST /setup/networks, POST /setup/storage, POST /setup/ready",
        "PUT /setup/site, PUT /setup/networks, PUT /setup/storage, POST /setup/begin", "setup",
    ),
    _row(
        "see how far set-up is",
        "GET /setup/account, GET /setup/site, GET /setup/networks, GET /setup/storage, GET /setup/ready, "
        "GET /setup/wait",
        "GET /setup, GET /setup/progress", "setup",
    ),
    _row("look for another DHCP server while setting up", "POST /setup/look", "POST /setup/look", "setup"),
    _row(
        "keep the network that set-up tries", "POST /setup/confirm, POST /setup/arrive",
        "POST /setup/confirm, POST /setup/arrive", "setup",
    ),
    _row("log in", "POST /login", "POST /sessions", "login"),
    _row("log out", "POST /logout", "DELETE /sessions/current", "logout"),
    _row("see who I am", "GET /account", "GET /sessions/current", "login"),
    _row("change my password", "POST /account/password", "PUT /account/password", "passwd"),
    _row("see my log-ins", "GET /account", "GET /sessions", "sessions list"),
    _row("see everybody's log-ins", "GET /settings/log-ins", "GET /sessions", "sessions list"),
    _row(
        "end a log-in", "POST /account/log-ins/{key}/end, POST /settings/log-ins/{key}/end", "DELETE /sessions/{key}",
        "sessions end",
    ),
    _row("see my tokens", "GET /account", "GET /tokens, GET /tokens/{key}", "tokens list, tokens show"),
    _row("see everybody's tokens", "GET /settings/tokens", "GET /tokens", "tokens list"),
    _row("make a token", "POST /account/tokens/new", "POST /tokens", "tokens create"),
    _row("end a token", "POST /account/tokens/{key}/delete", "DELETE /tokens/{key}", "tokens delete"),
    _row("see users", "GET /settings/users", "GET /users", "users list"),
    _row("see a user", "GET /settings/users/{name}", "GET /users/{key}", "users show"),
    _row("make a user", "POST /settings/users/new", "POST /users", "users create"),
    _row("change a user", "POST /settings/users/{name}", "PATCH /users/{key}", "users set"),
    _row(
        "give a user a password", "POST /settings/users/{name}/password", "PUT /users/{key}/password",
        "users password",
    ),
    _row("forget a user", "POST /settings/users/{name}/delete", "DELETE /users/{key}", "users delete"),
    _row("see who changed what", "GET /settings/audit", "GET /audit", "audit list"),
    _row("see the certificate", "GET /settings/certificate", "GET /certificate", "certificate show"),
    _row("bring a certificate", "POST /settings/certificate", "PUT /certificate", "certificate set"),
    _row("go back to our certificate", "POST /settings/certificate/reset", "DELETE /certificate", "certificate reset"),
    # -- the appliance
    _row("see how the appliance is", "GET /settings/health", "GET /appliance/health", "health"),
    _row("see its packages", "GET /settings/health/licences", "GET /appliance/packages", "packages"),
    _row(
        "let a disk blink", "POST /settings/health/disks/{name}/identify", "POST /appliance/disks/{name}/identify",
        "identify",
    ),
    _row("see who may log in by SSH", "GET /settings/ssh", "GET /appliance/ssh", "ssh-keys list"),
    _row(
        "say who may log in by SSH", "POST /settings/ssh, POST /settings/ssh/remove", "PUT /appliance/ssh",
        "ssh-keys add, ssh-keys remove",
    ),
    _row(
        "see what set-up decided", "GET /settings/general", "GET /appliance/settings",
        "settings show, settings subnets list, settings subnets show",
    ),
    _row("change names, clock and DNS", "POST /settings/general", "PATCH /appliance/settings", "settings set"),
    _row(
        "serve a network where machines boot", "POST /settings/general/subnets/new", "POST /appliance/settings/subnets",
        "settings subnets add",
    ),
    _row(
        "change a subnet's settings", "POST /settings/general/subnets/{interface}/edit",
        "PATCH /appliance/settings/subnets/{interface}", "settings subnets set",
    ),
    _row(
        "serve a network no more", "POST /settings/general/subnets/{interface}/delete",
        "DELETE /appliance/settings/subnets/{interface}", "settings subnets remove",
    ),
    _row("see the data disks", "GET /settings/general/disks", "GET /appliance/settings/disks", "settings disks list"),
    _row(
        "take disks into the data group", "POST /settings/general/disks", "POST /appliance/settings/disks",
        "settings disks use",
    ),
    _row("get help", "POST /settings/health/bundle", "POST /appliance/support-bundle", "support-bundle"),
    _row("begin anew", "POST /settings/health/factory-reset", "POST /appliance/factory-reset", "factory-reset"),
    _row("see what backups there are", "GET /settings/backup", "GET /appliance/backup", "backup show"),
    _row("make a backup", "POST /settings/backup/download", "POST /appliance/backup", "backup download"),
    _row("bring a backup here", "POST /settings/backup/upload", "PUT /appliance/backup/upload", "backup upload"),
    _row("remove it again", "POST /settings/backup/discard", "DELETE /appliance/backup/upload", "backup discard"),
    _row("restore a backup", "POST /settings/backup/restore", "POST /appliance/restore", "backup restore"),
    _row(
        "use the configuration of a backup", "POST /settings/backup/configuration",
        "POST /appliance/restore/configuration", "backup use-configuration",
    ),
    _row(
        "forget the configuration of a backup", "POST /settings/backup/dismiss",
        "DELETE /appliance/restore/configuration", "backup dismiss-configuration",
    ),
    _row(
        "remove a state of before a restore", "POST /settings/backup/old/{name}/delete",
        "DELETE /appliance/restore/old/{name}", "backup remove-old",
    ),
    _row("see versions and updates", "GET /settings/updates", "GET /appliance/update", "update status"),
    _row(
        "bring an update", "POST /settings/updates/upload, POST /settings/updates/download",
        "PUT /appliance/update/bundle, POST /appliance/update/download", "update install",
    ),
    _row(
        "bring it piece by piece", "POST /settings/updates/upload",
        "GET /appliance/update/upload, PUT /appliance/update/upload, PUT /appliance/update/upload/{turn}",
        "update upload",
    ),
    _row(
        "remove what is half uploaded", "POST /settings/updates/stop-upload", "DELETE /appliance/update/upload",
        "update stop-upload",
    ),
    _row("remove an update", "POST /settings/updates/discard", "DELETE /appliance/update/bundle", "update discard"),
    _row("install an update", "POST /settings/updates/install", "POST /appliance/update/install", "update install"),
    _row("restart into it", "POST /settings/updates/restart", "POST /appliance/update/restart", "update restart"),
    _row("go back to the version before", "POST /settings/updates/back", "POST /appliance/update/back", "update back"),
    _row("see the settings", "GET /settings", "GET /settings", "settings list"),
    # -- the fleet
    _row("see how the fleet is", "GET /", "GET /machines/summary, GET /metrics/history", "machines summary, metrics"),
    _row("find something", "GET /find", "GET /find, GET /machines, GET /deployments, GET /images, GET /kernels", FIND),
    _row("see machines", "GET /machines", "GET /machines", "machines list"),
    _row(
        "see a machine", "GET /machines/{key}, GET /machines/{key}/inventory, GET /machines/{key}/network",
        "GET /machines/{key}", "machines show",
    ),
    _row(
        "see what boot programs are for", "GET /machines/{key}/edit", "PATCH /machines/{key}", "machines boot-programs"
    ),
    _row(
        "see why a machine booted this", "GET /machines/{key}/timeline, GET /machines/{key}/timeline.txt",
        "GET /machines/{key}/timeline", "machines timeline",
    ),
    _row(
        "read boot messages", "GET /machines/{key}/boot", "GET /machines/{key}/boot-messages", "machines boot-messages"
    ),
    _row(
        "change a machine",
        "POST /machines/{key}/edit, POST /machines/{key}/maintenance, POST /machines/{key}/broken, "
        "POST /machines/{key}/mend",
        "PATCH /machines/{key}", "machines set",
    ),
    _row(
        "see what an action would do to a machine",
        "GET /machines/{key}/broken, GET /machines/{key}/delete, GET /machines/{key}/rescue, "
        "GET /machines/{key}/admit, GET /machines/{key}/power/{action}",
        "GET /machines/{key}/consequences", "machines consequences",
    ),
    _row("rescue a machine", "POST /machines/{key}/rescue", "POST /machines/{key}/rescue", "machines rescue"),
    _row(
        "end a rescue", "POST /machines/{key}/end-rescue", "POST /machines/{key}/end-rescue", "machines end-rescue"
    ),
    _row("let a machine in", "POST /machines/{key}/admit", "POST /machines/{key}/admit", "machines admit"),
    _row("see whether a machine is on", "GET /machines/{key}/power", "GET /machines/{key}", "machines power"),
    _row(
        "switch a machine on or off", "POST /machines/{key}/power/{action}", "POST /machines/{key}/power/{action}",
        "machines power",
    ),
    _row(
        "see how a machine is switched", "GET /machines/{key}/power-settings", "GET /machines/{key}/power",
        "machines power-settings show",
    ),
    _row(
        "say how a machine is switched", "POST /machines/{key}/power-settings", "PUT /machines/{key}/power",
        "machines power-settings set",
    ),
    _row(
        "see the certificate of a controller", "POST /machines/{key}/power-settings",
        "GET /machines/{key}/power/certificate", "machines power-settings fingerprint",
    ),
    _row(
        "forget how a machine is switched", "POST /machines/{key}/power-settings/delete",
        "DELETE /machines/{key}/power", "machines power-settings remove",
    ),
    _row("forget a machine", "POST /machines/{key}/delete", "DELETE /machines/{key}", "machines delete"),
    _row(
        "do something to many machines", "POST /machines/bulk", "POST /machines/bulk",
        "machines set, machines rescue, machines end-rescue, machines admit, machines delete",
    ),
    # -- deployments, images, kernels
    _row("see deployments", "GET /deployments", "GET /deployments", "deployments list"),
    _row("see a deployment", "GET /deployments/{key}", "GET /deployments/{key}", "deployments show"),
    _row(
        "read what a deployment gives to cloud-init", "GET /deployments/{key}/edit", "GET /deployments/{key}/seed",
        "deployments seed",
    ),
    _row("see what happened to a deployment", "GET /deployments/{key}/timeline", "GET /events", "events"),
    _row("make a deployment", "POST /deployments/new", "POST /deployments", "deployments create"),
    _row("change a deployment", "POST /deployments/{key}/edit", "PATCH /deployments/{key}", "deployments set"),
    _row(
        "see what an action would do to a deployment", "GET /deployments/{key}/{action}",
        "GET /deployments/{key}/consequences", "deployments consequences",
    ),
    _row(
        "start, stop, release, re-deploy, retry", "POST /deployments/{key}/{action}",
        "POST /deployments/{key}/{action}",
        "deployments start, deployments stop, deployments release, deployments redeploy, deployments retry, "
        "deployments wait",
    ),
    _row("forget a deployment", "POST /deployments/{key}/delete", "DELETE /deployments/{key}", "deployments delete"),
    _row(
        "do something to many deployments", "POST /deployments/bulk", "POST /deployments/bulk",
        "deployments start, deployments stop, deployments release, deployments retry, deployments delete",
    ),
    _row("see images", "GET /images", "GET /images", "images list"),
    _row("see an image", "GET /images/{key}", "GET /images/{key}", "images show"),
    _row(
        "add an image", "POST /images/new", "POST /images, PUT /uploads/images/{key}, PUT /uploads/images/{key}/{turn}",
        "images add",
    ),
    _row("fetch an image", "POST /images/fetch/new", "POST /images/fetch", "images add"),
    _row("make an image by a recipe", "POST /images/make/new", "POST /images/build", "images create"),
    _row("see recipes", "GET /recipes", "GET /recipes", "recipes list"),
    _row("see a recipe", "GET /recipes/{key}", "GET /recipes/{key}", "recipes show"),
    _row("bring a recipe", "POST /recipes/new", "PUT /recipes/{key}", "recipes add"),
    _row("remove a recipe", "POST /recipes/{key}/delete", "DELETE /recipes/{key}", "recipes delete"),
    _row(
        "see which images are on their way", "GET /images", "GET /uploads, GET /uploads/images/{key}", "images uploads"
    ),
    _row(
        "remove what is half here of an image", "POST /images/uploads/{key}/stop", "DELETE /uploads/images/{key}",
        "images stop-upload",
    ),
    _row(
        "take a kernel out of an image", "POST /images/{key}/kernels", "POST /images/{key}/kernels", "kernels extract"
    ),
    _row("change an image", "POST /images/{key}/edit", "PATCH /images/{key}", "images set"),
    _row(
        "see what deleting an image would mean", "GET /images/{key}/delete", "GET /images/{key}/consequences",
        "images delete",
    ),
    _row("delete an image", "POST /images/{key}/delete", "DELETE /images/{key}", "images delete"),
    _row("see ISOs", "GET /isos", "GET /isos", "isos list"),
    _row("see an ISO", "GET /isos/{key}", "GET /isos/{key}", "isos show"),
    _row(
        "add an ISO", "POST /isos/new", "POST /isos, PUT /uploads/isos/{key}, PUT /uploads/isos/{key}/{turn}",
        "isos add",
    ),
    _row("fetch an ISO", "POST /isos/fetch/new", "POST /isos/fetch", "isos add"),
    _row("see which ISOs are on their way", "GET /isos", "GET /uploads, GET /uploads/isos/{key}", "isos uploads"),
    _row(
        "remove what is half here of an ISO", "POST /isos/uploads/{key}/stop", "DELETE /uploads/isos/{key}",
        "isos stop-upload",
    ),
    _row("change an ISO", "POST /isos/{key}/edit", "PATCH /isos/{key}", "isos set"),
    _row(
        "see what deleting an ISO would mean", "GET /isos/{key}/delete", "GET /isos/{key}/consequences", "isos delete"
    ),
    _row("delete an ISO", "POST /isos/{key}/delete", "DELETE /isos/{key}", "isos delete"),
    _row("see kernels", "GET /kernels", "GET /kernels, GET /kernels/{key}", "kernels list, kernels show"),
    _row(
        "add a kernel", "POST /kernels/new",
        "POST /kernels, PUT /uploads/kernels/{key}, PUT /uploads/kernels/{key}/{turn}", "kernels add",
    ),
    _row(
        "see which kernels are on their way", "GET /kernels", "GET /uploads, GET /uploads/kernels/{key}",
        "kernels uploads",
    ),
    _row(
        "remove what is half here of a kernel", "POST /kernels/uploads/{key}/stop", "DELETE /uploads/kernels/{key}",
        "kernels stop-upload",
    ),
    _row(
        "give a kernel its modules", "POST /kernels/{key}/modules/new",
        "PUT /uploads/modules/{key}, PUT /uploads/modules/{key}/{turn}", "kernels modules, kernels add",
    ),
    _row(
        "have a kernel's modules fetched", "POST /kernels/{key}/modules/fetch", "POST /kernels/{key}/modules",
        "kernels modules",
    ),
    _row(
        "see which modules are on their way", "GET /kernels", "GET /uploads, GET /uploads/modules/{key}",
        "kernels uploads",
    ),
    _row(
        "remove what is half here of modules", "POST /kernels/{key}/modules/stop", "DELETE /uploads/modules/{key}",
        "kernels stop-upload",
    ),
    _row("change a kernel", "POST /kernels/{key}/edit", "PATCH /kernels/{key}", "kernels set"),
    _row("delete a kernel", "POST /kernels/{key}/delete", "DELETE /kernels/{key}", "kernels delete"),
    # -- virtual machines
    _row("see what happened to a VM", "GET /vms/{key}/timeline", "GET /events", "events"),
    _row("see VMs", "GET /vms", "GET /vms", "vms list"),
    _row("see a VM", "GET /vms/{key}, GET /vms/{key}/hardware", "GET /vms/{key}", "vms show"),
    _row("make a VM", "POST /vms/new", "POST /vms", "vms create"),
    _row(
        "change a VM",
        "POST /vms/{key}/edit, POST /vms/{key}/nics/edit, POST /vms/{key}/cdroms/edit, POST /vms/{key}/boot/edit, "
        "POST /vms/{key}/disks/{target}/remove",
        "PATCH /vms/{key}", "vms set",
    ),
    _row("give a VM another disk", "POST /vms/{key}/disks/new", "POST /vms/{key}/disks", "vms add-disk"),
    _row("start a VM", "POST /vms/{key}/order/{order}, POST /vms/bulk", "POST /vms/{key}/start", "vms start"),
    _row("pause a VM", "POST /vms/{key}/order/{order}, POST /vms/bulk", "POST /vms/{key}/pause", "vms pause"),
    _row("resume a VM", "POST /vms/{key}/order/{order}, POST /vms/bulk", "POST /vms/{key}/resume", "vms resume"),
    _row("reset a VM", "POST /vms/{key}/order/{order}, POST /vms/bulk", "POST /vms/{key}/reset", "vms reset"),
    _row("switch a VM off", "POST /vms/{key}/order/{order}", "POST /vms/{key}/off", "vms off"),
    _row("shut a VM down", "POST /vms/{key}/shut-down", "POST /vms/{key}/shut-down", "vms shutdown"),
    _row(
        "see what deleting a VM would do", "GET /vms/{key}/delete", "GET /vms/{key}/consequences", "vms delete"
    ),
    _row("delete a VM", "POST /vms/{key}/delete", "POST /vms/{key}/delete", "vms delete"),
    _row(
        "look at a VM, and type", "GET /vms/{key}/console, GET /vms/{key}/console/serial", "POST /vms/{key}/console", ""
    ),
    _row("see what a VM uses", "GET /vms/{key}", "GET /vms/{key}/statistics", "vms statistics"),
    _row("see the screen of a VM", "GET /vms/{key}", "GET /vms/{key}/screenshot", "vms screenshot"),
    _row("see hosts of VMs", "GET /vms/hosts", "GET /hosts", "hosts list"),
    _row("see a host of VMs", "GET /vms/hosts/{host}", "GET /hosts/{key}", "hosts show"),
    _row("add a host of VMs", "POST /vms/hosts/new", "POST /hosts", "hosts add"),
    _row("remove a host of VMs", "POST /vms/hosts/{host}/remove", "DELETE /hosts/{key}", "hosts remove"),
    # -- storage
    _row("see pools", "GET /storage", "GET /pools", "pools list"),
    _row("see a pool", "GET /storage/{pool}", "GET /pools/{key}", "pools show"),
    _row("see of what a pool may be made", "GET /storage/new", "GET /storage/disks", "pools disks"),
    _row("make a pool", "POST /storage/new", "POST /pools", "pools make"),
    _row("extend a pool", "POST /storage/{pool}/extend", "POST /pools/{key}/extend", "pools extend"),
    _row(
        "see what would be lost on its disks", "POST /storage/new, POST /storage/{pool}/extend",
        "POST /storage/disks/consequences", "pools make, pools extend",
    ),
    _row("see which volume groups may become pools", "GET /storage/adopt", "GET /storage/groups", "pools groups"),
    _row("make a pool of a volume group", "POST /storage/adopt", "POST /storage/groups/{group}/adopt", "pools adopt"),
    _row(
        "see what it would mean to adopt one", "GET /storage/adopt", "GET /storage/groups/{group}/consequences",
        "pools adopt",
    ),
    _row("retire a pool", "POST /storage/{pool}/retire", "POST /pools/{key}/retire", "pools retire"),
    _row("check a pool", "POST /storage/{pool}/examine", "POST /pools/{key}/examine", "pools examine, pools repair"),
    _row("repair a pool", "POST /storage/{pool}/repair", "POST /pools/{key}/repair", "pools repair"),
    _row(
        "see what retiring or repairing it would do", "GET /storage/{pool}/retire, GET /storage/{pool}/repair",
        "GET /pools/{key}/consequences", "pools retire, pools repair",
    ),
    _row("see volumes", "GET /storage/{pool}", "GET /volumes", "volumes list"),
    _row("see a volume", f"GET {VOLUME}", f"GET {VOLUMES}/{{volume}}", "volumes show"),
    _row("make a volume", "POST /storage/{pool}/volumes/new", f"POST {VOLUMES}", "volumes create"),
    _row("grow a volume", f"POST {VOLUME}/{{action}}", f"POST {VOLUMES}/{{volume}}/grow", "volumes grow"),
    _row(
        "make a snapshot of a volume", f"POST {VOLUME}/{{action}}", f"POST {VOLUMES}/{{volume}}/snapshot",
        "volumes snapshot",
    ),
    _row("clone a volume", f"POST {VOLUME}/{{action}}", f"POST {VOLUMES}/{{volume}}/clone", "volumes clone"),
    _row("rename a volume", f"POST {VOLUME}/{{action}}", f"PATCH {VOLUMES}/{{volume}}", "volumes rename"),
    _row("say whether a volume is golden", f"POST {VOLUME}/golden", f"PATCH {VOLUMES}/{{volume}}", "volumes golden"),
    _row(
        "roll a volume back", f"POST {VOLUME}/roll-back/{{snapshot}}", f"POST {VOLUMES}/{{volume}}/roll-back",
        "volumes roll-back",
    ),
    _row("delete a volume", f"POST {VOLUME}/delete", f"DELETE {VOLUMES}/{{volume}}", "volumes delete"),
    _row(
        "see what deleting it or rolling it back would do",
        f"GET {VOLUME}/delete, GET {VOLUME}/roll-back/{{snapshot}}", f"GET {VOLUMES}/{{volume}}/consequences",
        "volumes delete, volumes roll-back",
    ),
    # -- tasks and events
    _row("see tasks", "GET /tasks", "GET /tasks", "tasks list"),
    _row(
        "follow a task", "GET /tasks/{key}", "GET /tasks/{key}, GET /tasks/{key}/log",
        "tasks show, tasks log, tasks wait",
    ),
    _row("cancel a task", "POST /tasks/{key}/cancel", "POST /tasks/{key}/cancel", "tasks cancel"),
    _row("see what happens", "GET /events", "GET /events", "events"),
    # -- network
    _row(
        "see subnets", "GET /network", "GET /network/subnets, GET /network/subnets/{interface}",
        "network subnets, network show",
    ),
    _row(
        "switch how a subnet is served", "POST /network/subnets/{interface}/edit",
        "PATCH /network/subnets/{interface}", "network set",
    ),
    _row(
        "see what switching a subnet would do", "GET /network/subnets/{interface}/edit",
        "GET /network/subnets/{interface}/consequences", "network consequences",
    ),
    _row(
        "look for other DHCP servers", "POST /network/subnets/{interface}/look",
        "POST /network/subnets/{interface}/look", "network look",
    ),
    _row(
        "print boot options for another DHCP server", "GET /network/subnets/{interface}/snippet",
        "GET /network/subnets/{interface}/snippet", "network snippet",
    ),
    _row("see leases", "GET /network/leases", "GET /network/leases", "network leases list"),
    _row(
        "free an address", "POST /network/leases/{interface}/{address}/forget",
        "DELETE /network/leases/{interface}/{address}", "network leases delete",
    ),
    _row("see reservations", "GET /network/reservations", "GET /network/reservations", "network reservations list"),
    _row(
        "reserve an address", "POST /network/reservations/new", "POST /network/reservations",
        "network reservations add",
    ),
    _row(
        "give a reservation up", "POST /network/reservations/{key}/delete", "DELETE /network/reservations/{key}",
        "network reservations delete",
    ),
    _row("see names", "GET /network/names", "GET /network/names", "network names list"),
    _row("add a name", "POST /network/names/new", "POST /network/names", "network names add"),
    _row("delete a name", "POST /network/names/{key}/delete", "DELETE /network/names/{key}", "network names delete"),
    _row("see what is not here", "GET /network/seen", "GET /network/sightings", "network seen list"),
    _row("see one that is not here", "GET /network/seen/{mac}", "GET /network/sightings/{mac}", "network seen show"),
    _row(
        "see the appliance's own networks", "GET /network/interfaces", "GET /appliance/network",
        "network interfaces list, network interfaces show",
    ),
    _row(
        "change one of them", "POST /network/interfaces/new, POST /network/interfaces/{name}/edit",
        "PUT /appliance/network/interfaces/{name}", "network interfaces set, network interfaces create",
    ),
    _row(
        "take one of them away", "POST /network/interfaces/{name}/delete",
        "DELETE /appliance/network/interfaces/{name}", "network interfaces delete",
    ),
    _row("let machines out by NAT", "POST /network/interfaces/nat", "PUT /appliance/network", "network interfaces nat"),
    _row(
        "keep a network that is tried", "POST /network/interfaces/confirm", "POST /appliance/network/confirm",
        "network interfaces confirm",
    ),
    _row(
        "take a network that is tried back", "POST /network/interfaces/revert", "POST /appliance/network/revert",
        "network interfaces revert",
    ),
    _row(
        "forget one that is not here", "POST /network/seen/{mac}/forget", "DELETE /network/sightings/{mac}",
        "network seen delete",
    ),
)  # fmt: skip

NOT_COMPARED = {
    "GET /login": "the form of POST /login",
    "GET /tasks/strip": "a part of every page",
    "GET /deployments/new/choices": "a part of the form for a new deployment",
    "GET /help": "what keys do in the console, and its words",
    "GET /docs/api": "describes the API to people, as openapi.json does to programs",
}
"""Addresses of the console that stand in no row, each with why."""

NOT_EVERYWHERE: dict[str, str] = {
    "look at a VM, and type": "a terminal shows no screen; its serial line has virsh console, on the host",
}
"""Rows in which a face has nothing, each with why."""

LOCAL = (
    "serve", "helper", "slot", "lab", "state", "seed", "probe", "screen", "install", "config", "completion",
)  # fmt: skip
"""Commands that are no clients of the API, by DESIGN.md."""

ROLES_DIFFER = {
    "see everybody's log-ins": "one address of the API for one's own and, for administrators, everybody's",
    "end a log-in": "the same",
    "see everybody's tokens": "the same",
    "see what an action would do to a machine": "the API says it to everybody, the console where one may go on",
    "see what an action would do to a deployment": "the same",
    "see what switching a subnet would do": "the same",
    "see what deleting it or rolling it back would do": "the same",
    "see what deleting an image would mean": "the same",
    "see what deleting an ISO would mean": "the same",
    "see what deleting a VM would do": "the same",
    "see the screen of a VM": "everybody may see the page, and those the screen on it who may open its console",
    "keep the network that set-up tries": "who comes over the new network by the one-time link is logged in by it",
}
"""Rows whose addresses do not all take the same least role, each with why."""

BULK = {
    "machines": {
        "maintenance-on": "machines set --maintenance",
        "maintenance-off": "machines set --maintenance",
        "break": "machines set --broken",
        "mend": "machines set --mended",
        "tag": "machines set --tag",
        "untag": "machines set --untag",
        "hand-over": "machines set --hand-over",
        "rescue": "machines rescue --where",
        "end-rescue": "machines end-rescue --where",
        "admit": "machines admit --where",
        "power-on": "machines power action",
        "power-off": "machines power action",
        "power-cycle": "machines power action",
        "power-network-once": "machines power action",
        "delete": "machines delete --where",
    },
    "deployments": {
        "start": "deployments start --where",
        "stop": "deployments stop --where",
        "retry": "deployments retry --where",
        "release": "deployments release --where",
        "delete": "deployments delete --where",
    },
}
"""What can be done to many at once -> how ``qrm`` says it."""


class Form(NamedTuple):
    """A form of the console: its templates, and the address and commands that take what it takes."""

    templates: str
    api: str
    qrm: str
    fields: dict[str, tuple[str, str]]
    """Field of the console (``-`` for what it does not set) -> field of the API, option or argument of ``qrm``."""


NAME = ("name", "--name")
_REQUIREMENTS = {
    "cpus": ("requirements", "--cpus"),
    "memory": ("requirements", "--memory"),
    "disk_size": ("requirements", "--disk-size"),
    "firmware": ("requirements", "--firmware"),
    "tags": ("requirements", "--tag"),
    "ssh_keys": ("ssh_keys", "--ssh-key"),
    "wipe": ("wipe_on_release", "--wipe-on-release"),
    "wipe_method": ("wipe_method", "--wipe-method"),
    "pool": ("pool", "--pool"),
    "root_size": ("root_size", "--root-size"),
    "kernel": ("kernel", "--kernel"),
    **dict.fromkeys((*SEED_FIELDS, SEED_MAKE), ("user_data", "--user-data")),
    "network_config": ("network_config", "--network-config"),
}
_SIZED = {"name": ("name", "name"), "size": ("size", "size")}
_MARKS = dict.fromkeys(("agreed", "seen", "confirm", "disks", "name", "size"), ("other", "other"))
"""What forms of pools and volumes take from one file, each some of it."""
_DEPLOYMENT = (
    "deployment_requirements.html deployment_disk_size.html deployment_access.html deployment_wipe.html "
    "deployment_root.html deployment_kernel.html deployment_seed.html"
)

FORMS = (
    Form(
        "machine_edit.html", "PATCH /machines/{key}", "machines set",
        {
            "name": NAME, "reserved_address": ("reserved_address", "--address"), "notes": ("notes", "--notes"),
            "tags": ("tags", "--tag"), "hand_over": ("hand_over", "--hand-over"),
            "boot_program": ("boot_program", "--boot-program"), "dhcp_options": ("dhcp_options", "--dhcp-option"),
            "-maintenance": ("maintenance", "--maintenance"), "-broken": ("broken", "--broken"),
            "-mend": ("broken", "--mended"), "-add": ("add_tags", "--tag"), "-remove": ("remove_tags", "--untag"),
        },
    ),
    Form(
        "machine_power_edit.html", "PUT /machines/{key}/power", "machines power-settings set",
        {
            **{name: (name, f"--{name}") for name in ("kind", "address", "port", "user", "system", "fingerprint")},
            "cipher_suite": ("cipher_suite", "--cipher-suite"), "privilege": ("privilege", "--privilege"),
            "read": ("other", "other"), "-secret": ("secret", "--password-file"),
            "-keep": ("secret", "--keep-password"),
        },
    ),
    Form(
        "network_subnet_edit.html", "PATCH /network/subnets/{interface}", "network set",
        {
            "mode": ("mode", "--mode"), "serve_non_pxe": ("serve_non_pxe", "--serve-non-pxe"),
            "unknown_machines": ("unknown_machines", "--unknown-machines"),
            "other_servers": ("other_servers", "--other-servers"),
            "network_roots": ("network_roots", "--network-roots"), "-confirm": ("confirm", "--confirm"),
        },
    ),
    *(
        Form(
            "network_interface_edit.html", "PUT /appliance/network/interfaces/{name}", f"network interfaces {verb}",
            {
                "name": ("other", "name"), "kind": ("kind", "other"), "-mac": ("mac", "other"),
                "ports": ("ports", "--port"), "mode": ("mode", "--mode"), "parent": ("parent", "--parent"),
                "tag": ("tag", "--tag"), "method": ("method", "--method"), "addresses": ("addresses", "--address"),
                "gateway": ("gateway", "--gateway"), "dns": ("dns", "--dns"), "roles": ("roles", "--role"),
                "-confirm": ("confirm", "--confirm"), "-only_plan": ("only_plan", "--only-plan"),
            },
        )
        for verb in ("set", "create")
    ),
    Form("machine_rescue.html", "POST /machines/{key}/rescue", "machines rescue", {"ssh_keys": ("ssh_keys", "--key")}),
    Form(
        f"deployment_new.html deployment_disks.html {_DEPLOYMENT}", "POST /deployments", "deployments create",
        {
            "name": ("name", "name"), "image": ("image", "--image"), "machine": ("machine", "--machine"),
            "disk": ("disk", "--disk"), "disk_rule": ("disk", "--disk"), "delivery": ("delivery", "--delivery"),
            **_REQUIREMENTS,
        },
    ),
    Form(
        f"deployment_edit.html {_DEPLOYMENT}", "PATCH /deployments/{key}", "deployments set",
        {
            "name": NAME, "image": ("image", "--image"), **_REQUIREMENTS,
            "-no_user_data": ("user_data", "--no-user-data"),
            "-no_network_config": ("network_config", "--no-network-config"),
        },
    ),
    Form(
        "image_new.html", "POST /images", "images add",
        {
            "name": NAME, "description": ("description", "--description"), "file": ("body", "file"),
            "-format": ("format", "--format"),
        },
    ),
    Form(
        "image_make.html", "POST /images/build", "images create",
        {
            "recipe": ("recipe", "--recipe"), "name": ("name", "name"), "packages": ("packages", "--package"),
            "description": ("description", "--description"), "disk": ("disk", "--disk"),
        },
    ),
    Form(
        "recipe_new.html", "PUT /recipes/{key}", "recipes add",
        {"name": ("other", "--name"), "text": ("text", "file")},
    ),
    Form(
        "image_fetch.html", "POST /images/fetch", "images add",
        {
            "url": ("url", "--url"), "sha256": ("sha256", "--sha256"), "name": NAME,
            "description": ("description", "--description"), "-replace": ("replace", "--replace"),
        },
    ),
    Form(
        "image_edit.html", "PATCH /images/{key}", "images set",
        {"name": NAME, "description": ("description", "--description")},
    ),
    Form(
        "iso_new.html", "POST /isos", "isos add",
        {"name": NAME, "description": ("description", "--description"), "file": ("body", "file")},
    ),
    Form(
        "iso_fetch.html", "POST /isos/fetch", "isos add",
        {
            "url": ("url", "--url"), "sha256": ("sha256", "--sha256"), "name": NAME,
            "description": ("description", "--description"), "-replace": ("replace", "--replace"),
        },
    ),
    Form(
        "iso_edit.html", "PATCH /isos/{key}", "isos set",
        {"name": NAME, "description": ("description", "--description")},
    ),
    Form(
        "image.html", "POST /images/{key}/kernels", "kernels extract",
        {"version": ("version", "--version"), "-name": NAME},
    ),
    Form(
        "kernel_new.html", "POST /kernels", "kernels add",
        {
            "name": NAME, "version": ("version", "--version"), "cmdline": ("cmdline", "--cmdline"),
            "vmlinuz": ("vmlinuz", "vmlinuz"), "initrd": ("initrd", "--initrd"),
        },
    ),
    Form(
        "kernel_modules.html", "POST /kernels/{key}/modules", "kernels modules",
        {
            "file": ("other", "file"), "url": ("url", "--url"), "sha256": ("sha256", "--sha256"),
            "-replace": ("replace", "--replace"),
        },
    ),
    Form(
        "kernel_edit.html", "PATCH /kernels/{key}", "kernels set",
        {"name": NAME, "cmdline": ("cmdline", "--cmdline")},
    ),
    Form(
        "pool_new.html storage_marks.html", "POST /pools", "pools make",
        {
            **_MARKS, "name": ("name", "name"), "kind": ("kind", "--thick"), "place": ("place", "--directory"),
            "disks": ("disks", "--disk"), "confirm": ("confirm", "--confirm"),
        },
    ),
    Form(
        "pool_extend.html storage_marks.html", "POST /pools/{key}/extend", "pools extend",
        {**_MARKS, "disks": ("disk", "--disk"), "confirm": ("confirm", "--confirm")},
    ),
    Form(
        "pool_adopt.html storage_marks.html", "POST /storage/groups/{group}/adopt", "pools adopt",
        {
            **_MARKS, "group": ("other", "group"), "name": ("name", "name"), "kind": ("thin", "--thick"),
            "confirm": ("confirm", "--confirm"),
        },
    ),
    Form(
        "volume_new.html storage_marks.html", f"POST {VOLUMES}", "volumes create",
        {
            **_MARKS, **_SIZED, "image": ("image", "--image"), "-golden": ("golden", "--golden"),
            "-read_only": ("read_only", "--read-only"),
        },
    ),
    Form(
        "volume_clone.html storage_marks.html", f"POST {VOLUMES}/{{volume}}/clone", "volumes clone",
        {
            **_MARKS, "name": ("name", "name"), "size": ("size", "--size"), "-golden": ("golden", "--golden"),
            "-read_only": ("read_only", "--read-only"),
        },
    ),
    Form(
        "volume_snapshot.html storage_marks.html", f"POST {VOLUMES}/{{volume}}/snapshot", "volumes snapshot",
        {**_MARKS, "name": ("name", "name")},
    ),
    Form(
        "volume_grow.html storage_marks.html", f"POST {VOLUMES}/{{volume}}/grow", "volumes grow",
        {**_MARKS, "size": ("size", "size")},
    ),
    Form(
        "volume_rename.html storage_marks.html", f"PATCH {VOLUMES}/{{volume}}", "volumes rename",
        {**_MARKS, "name": ("name", "name"), "-golden": ("golden", "other")},
    ),
    Form(
        "network_reservation_new.html", "POST /network/reservations", "network reservations add",
        {
            "mac": ("mac", "owner"), "uuid": ("uuid", "owner"), "port": ("port", "owner"),
            "address": ("address", "address"), "name": NAME, "note": ("note", "--note"),
        },
    ),
    Form(
        "network_name_new.html", "POST /network/names", "network names add",
        {"name": ("name", "name"), "type": ("type", "type"), "value": ("value", "value"), "note": ("note", "--note")},
    ),
    Form(
        "user_new.html", "POST /users", "users create",
        {"name": ("name", "user"), "role": ("role", "--role"), "password": ("password", "typed")},
    ),
    Form(
        "user.html", "PATCH /users/{key}", "users set",
        {"role": ("role", "--role"), "disabled": ("disabled", "--disabled"), "password": ("other", "other")},
    ),
    Form(
        "token_new.html", "POST /tokens", "tokens create",
        {"name": ("name", "name"), "scope": ("scope", "--scope"), "days": ("days", "--days")},
    ),
    Form(
        "certificate.html", "PUT /certificate", "certificate set",
        {
            "certificate_pem": ("certificate_pem", "chain"), "certificate_pem_file": ("certificate_pem", "chain"),
            "key_pem": ("key_pem", "--key"), "key_pem_file": ("key_pem", "--key"), "confirm": ("confirm", "--yes"),
        },
    ),
    Form(
        "bulk.html", "POST /machines/bulk", "machines set",
        {
            "tags": ("tags", "--tag"), "hand_over": ("hand_over", "--hand-over"), "ssh_keys": ("ssh_keys", "other"),
            "confirm": ("confirm", "other"), "-action": ("action", "--maintenance"), "-filter": ("filter", "--where"),
            "-machines": ("machines", "names"),
        },
    ),
)  # fmt: skip

ELSEWHERE = {"other", "typed"}
"""Not of this address or command: a password is typed, some fields of a page belong to another of its forms."""
NOT_FIELDS = {"again", "username"}
"""Fields for people only: the same password once more, and what password stores look for."""
