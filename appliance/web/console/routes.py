"""The one table of the console's addresses."""

from dataclasses import dataclass
from functools import wraps

from aiohttp import web

from appliance.accounts import Role
from appliance.errors import ApplianceError
from appliance.web.assets import STATIC
from appliance.web.console import (
    account,
    apidocs,
    audit,
    backups,
    bulk,
    certificate,
    deployment_actions,
    deployment_form,
    deployments,
    edits,
    entry,
    eventlog,
    find,
    first_steps,
    health,
    help_page,
    images,
    interfaces,
    kernels,
    machine_actions,
    machine_tabs,
    machines,
    network,
    network_forms,
    overview,
    power,
    rescues,
    settings,
    subnets,
    tasks,
    updates,
    users,
)
from appliance.web.console.page import PAGES, Pages, problem_page
from appliance.web.console.static import Static
from appliance.web.doors import EVERYBODY, Handler, open_door
from appliance.web.problem import status_of


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the console."""

    method: str
    path: str
    handler: Handler
    role: Role | None = Role.VIEWER
    """The least role; None: everybody, logged in or not."""


MACHINES_BULK, DEPLOYMENTS_BULK = (bulk.handlers(kind) for kind in bulk.KINDS)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", overview.show),
    Route("GET", "/tasks", tasks.index),
    Route("GET", "/tasks/strip", tasks.strip),
    Route("GET", "/tasks/{key}", tasks.show),
    Route("GET", "/tasks/{key}/cancel", tasks.ask_cancel, Role.OPERATOR),
    Route("POST", "/tasks/{key}/cancel", tasks.cancel, Role.OPERATOR),
    Route("GET", "/machines", machines.index),
    Route("GET", "/machines/bulk", MACHINES_BULK[0], Role.OPERATOR),
    Route("POST", "/machines/bulk", MACHINES_BULK[1], Role.OPERATOR),
    Route("GET", "/machines/{key}", machines.show),
    Route("GET", "/machines/{key}/inventory", machines.inventory),
    Route("GET", "/machines/{key}/timeline", machines.timeline),
    Route("GET", "/machines/{key}/timeline.txt", machines.timeline_text),
    Route("GET", "/machines/{key}/network", machine_tabs.network),
    Route("GET", "/machines/{key}/boot", machine_tabs.boot_messages),
    Route("GET", "/machines/{key}/rescue", rescues.ask, Role.OPERATOR),
    Route("POST", "/machines/{key}/rescue", rescues.begin, Role.OPERATOR),
    Route("GET", "/machines/{key}/end-rescue", rescues.ask_end, Role.OPERATOR),
    Route("POST", "/machines/{key}/end-rescue", rescues.end, Role.OPERATOR),
    Route("GET", "/machines/{key}/power", power.show),
    Route("GET", "/machines/{key}/power/{action}", power.ask, Role.OPERATOR),
    Route("POST", "/machines/{key}/power/{action}", power.act, Role.OPERATOR),
    Route("GET", "/machines/{key}/power-settings", power.settings, Role.ADMIN),
    Route("POST", "/machines/{key}/power-settings", power.save, Role.ADMIN),
    Route("GET", "/machines/{key}/power-settings/delete", power.ask_remove, Role.ADMIN),
    Route("POST", "/machines/{key}/power-settings/delete", power.remove, Role.ADMIN),
    Route("POST", "/machines/{key}/maintenance", machine_actions.maintenance, Role.OPERATOR),
    Route("POST", "/machines/{key}/mend", machine_actions.mend, Role.OPERATOR),
    Route("GET", "/machines/{key}/edit", machine_actions.edit, Role.OPERATOR),
    Route("POST", "/machines/{key}/edit", machine_actions.save, Role.OPERATOR),
    Route("GET", "/machines/{key}/broken", machine_actions.ask_broken, Role.OPERATOR),
    Route("POST", "/machines/{key}/broken", machine_actions.broken, Role.OPERATOR),
    Route("GET", "/machines/{key}/delete", machine_actions.ask_delete, Role.OPERATOR),
    Route("POST", "/machines/{key}/delete", machine_actions.delete, Role.OPERATOR),
    Route("GET", "/deployments", deployments.index),
    Route("GET", "/deployments/new", deployment_form.show, Role.OPERATOR),
    Route("POST", "/deployments/new", deployment_form.create, Role.OPERATOR),
    Route("GET", "/deployments/new/choices", deployment_form.choices, Role.OPERATOR),
    Route("GET", "/deployments/bulk", DEPLOYMENTS_BULK[0], Role.OPERATOR),
    Route("POST", "/deployments/bulk", DEPLOYMENTS_BULK[1], Role.OPERATOR),
    Route("GET", "/deployments/{key}", deployments.show),
    Route("GET", "/deployments/{key}/timeline", deployments.timeline),
    Route("GET", "/deployments/{key}/edit", edits.edit_deployment, Role.OPERATOR),
    Route("POST", "/deployments/{key}/edit", edits.save_deployment, Role.OPERATOR),
    Route("GET", "/deployments/{key}/delete", deployment_actions.ask_delete, Role.OPERATOR),
    Route("POST", "/deployments/{key}/delete", deployment_actions.delete, Role.OPERATOR),
    Route("GET", "/deployments/{key}/{action}", deployment_actions.ask, Role.OPERATOR),
    Route("POST", "/deployments/{key}/{action}", deployment_actions.act, Role.OPERATOR),
    Route("GET", "/images", images.index),
    Route("GET", "/images/new", images.form, Role.OPERATOR),
    Route("POST", "/images/new", images.upload, Role.OPERATOR),
    Route("GET", "/images/{key}", images.show),
    Route("GET", "/images/{key}/edit", edits.edit_image, Role.OPERATOR),
    Route("POST", "/images/{key}/edit", edits.save_image, Role.OPERATOR),
    Route("GET", "/images/{key}/delete", images.ask_delete, Role.OPERATOR),
    Route("POST", "/images/{key}/delete", images.delete, Role.OPERATOR),
    Route("GET", "/kernels", kernels.index),
    Route("GET", "/kernels/new", kernels.form, Role.OPERATOR),
    Route("POST", "/kernels/new", kernels.upload, Role.OPERATOR),
    Route("GET", "/kernels/{key}/edit", edits.edit_kernel, Role.OPERATOR),
    Route("POST", "/kernels/{key}/edit", edits.save_kernel, Role.OPERATOR),
    Route("GET", "/kernels/{key}/delete", kernels.ask_delete, Role.OPERATOR),
    Route("POST", "/kernels/{key}/delete", kernels.delete, Role.OPERATOR),
    Route("GET", "/network", network.subnets),
    Route("GET", "/network/subnets/{interface}/edit", subnets.edit, Role.OPERATOR),
    Route("POST", "/network/subnets/{interface}/edit", subnets.switch, Role.OPERATOR),
    Route("POST", "/network/subnets/{interface}/look", subnets.look, Role.OPERATOR),
    Route("GET", "/network/subnets/{interface}/snippet", subnets.boot_options),
    Route("GET", "/network/leases", network.leases),
    Route("GET", "/network/leases/{interface}/{address}/forget", network.ask_forget_lease, Role.OPERATOR),
    Route("POST", "/network/leases/{interface}/{address}/forget", network.forget_lease, Role.OPERATOR),
    Route("GET", "/network/reservations", network.reservations),
    Route("GET", "/network/reservations/new", network_forms.new_reservation, Role.OPERATOR),
    Route("POST", "/network/reservations/new", network_forms.reserve, Role.OPERATOR),
    Route("GET", "/network/reservations/{key}/delete", network_forms.ask_unreserve, Role.OPERATOR),
    Route("POST", "/network/reservations/{key}/delete", network_forms.unreserve, Role.OPERATOR),
    Route("GET", "/network/names", network.names),
    Route("GET", "/network/names/new", network_forms.new_record, Role.OPERATOR),
    Route("POST", "/network/names/new", network_forms.add_record, Role.OPERATOR),
    Route("GET", "/network/names/{key}/delete", network_forms.ask_delete_record, Role.OPERATOR),
    Route("POST", "/network/names/{key}/delete", network_forms.delete_record, Role.OPERATOR),
    Route("GET", "/network/seen", network.seen),
    Route("GET", "/network/seen/{mac}", network.show_seen),
    Route("POST", "/network/seen/{mac}/forget", network.forget_seen, Role.OPERATOR),
    Route("GET", "/network/interfaces", interfaces.index, Role.ADMIN),
    Route("GET", "/network/interfaces/new", interfaces.new, Role.ADMIN),
    Route("POST", "/network/interfaces/new", interfaces.create, Role.ADMIN),
    Route("POST", "/network/interfaces/nat", interfaces.nat, Role.ADMIN),
    Route("POST", "/network/interfaces/confirm", interfaces.confirm, Role.ADMIN),
    Route("POST", "/network/interfaces/revert", interfaces.revert, Role.ADMIN),
    Route("GET", "/network/interfaces/{name}/edit", interfaces.edit, Role.ADMIN),
    Route("POST", "/network/interfaces/{name}/edit", interfaces.save, Role.ADMIN),
    Route("GET", "/network/interfaces/{name}/delete", interfaces.ask_delete, Role.ADMIN),
    Route("POST", "/network/interfaces/{name}/delete", interfaces.delete, Role.ADMIN),
    Route("GET", "/find", find.show),
    Route("GET", "/help", help_page.show),
    Route("GET", "/events", eventlog.index),
    Route("GET", "/docs/api", apidocs.show),
    Route("GET", "/settings", settings.show),
    Route("GET", "/settings/users", users.index, Role.ADMIN),
    Route("GET", "/settings/users/new", users.form, Role.ADMIN),
    Route("POST", "/settings/users/new", users.create, Role.ADMIN),
    Route("GET", "/settings/users/{name}", users.show, Role.ADMIN),
    Route("POST", "/settings/users/{name}", users.save, Role.ADMIN),
    Route("POST", "/settings/users/{name}/password", users.set_password, Role.ADMIN),
    Route("GET", "/settings/users/{name}/delete", users.ask_delete, Role.ADMIN),
    Route("POST", "/settings/users/{name}/delete", users.delete, Role.ADMIN),
    Route("GET", "/settings/tokens", account.all_tokens, Role.ADMIN),
    Route("GET", "/settings/log-ins", account.all_log_ins, Role.ADMIN),
    Route("POST", "/settings/log-ins/{key}/end", account.end_any_log_in, Role.ADMIN),
    Route("GET", "/settings/certificate", certificate.show, Role.ADMIN),
    Route("POST", "/settings/certificate", certificate.put, Role.ADMIN),
    Route("GET", "/settings/certificate/reset", certificate.ask_reset, Role.ADMIN),
    Route("POST", "/settings/certificate/reset", certificate.reset, Role.ADMIN),
    Route("GET", "/settings/audit", audit.index, Role.ADMIN),
    Route("GET", "/settings/updates", updates.show, Role.ADMIN),
    Route("POST", "/settings/updates/upload", updates.upload, Role.ADMIN),
    Route("POST", "/settings/updates/download", updates.download, Role.ADMIN),
    Route("POST", "/settings/updates/discard", updates.discard, Role.ADMIN),
    Route("POST", "/settings/updates/install", updates.install, Role.ADMIN),
    Route("GET", "/settings/updates/restart", updates.ask_restart, Role.ADMIN),
    Route("POST", "/settings/updates/restart", updates.restart, Role.ADMIN),
    Route("GET", "/settings/updates/back", updates.ask_back, Role.ADMIN),
    Route("POST", "/settings/updates/back", updates.back, Role.ADMIN),
    Route("GET", "/settings/health", health.show, Role.ADMIN),
    Route("GET", "/settings/health/licences", health.licences, Role.ADMIN),
    Route("POST", "/settings/health/disks/{name}/identify", health.identify, Role.ADMIN),
    Route("POST", "/settings/health/bundle", health.bundle, Role.ADMIN),
    Route("GET", "/settings/health/factory-reset", health.ask_reset, Role.ADMIN),
    Route("POST", "/settings/health/factory-reset", health.reset, Role.ADMIN),
    Route("GET", "/settings/backup", backups.show, Role.ADMIN),
    Route("POST", "/settings/backup/download", backups.make, Role.ADMIN),
    Route("POST", "/settings/backup/upload", backups.upload, Role.ADMIN),
    Route("POST", "/settings/backup/discard", backups.discard, Role.ADMIN),
    Route("POST", "/settings/backup/restore", backups.restore, Role.ADMIN),
    Route("POST", "/settings/backup/configuration", backups.use_configuration, Role.ADMIN),
    Route("POST", "/settings/backup/dismiss", backups.dismiss, Role.ADMIN),
    Route("GET", "/settings/backup/old/{name}/delete", backups.ask_remove, Role.ADMIN),
    Route("POST", "/settings/backup/old/{name}/delete", backups.remove, Role.ADMIN),
    Route("GET", "/account", account.show),
    Route("POST", "/account/password", account.change_password),
    Route("POST", "/account/log-ins/{key}/end", account.end_log_in),
    Route("GET", "/account/tokens/new", account.token_form),
    Route("POST", "/account/tokens/new", account.create_token),
    Route("GET", "/account/tokens/{key}/delete", account.ask_delete_token),
    Route("POST", "/account/tokens/{key}/delete", account.delete_token),
    Route("GET", "/login", entry.show_login, EVERYBODY),
    Route("POST", "/login", entry.log_in, EVERYBODY),
    Route("GET", "/setup", entry.show_setup, EVERYBODY),
    Route("POST", "/setup", entry.set_up, EVERYBODY),
    Route("GET", "/setup/account", first_steps.account, Role.ADMIN),
    Route("GET", "/setup/site", first_steps.site, Role.ADMIN),
    Route("POST", "/setup/site", first_steps.save_site, Role.ADMIN),
    Route("GET", "/setup/networks", first_steps.networks, Role.ADMIN),
    Route("POST", "/setup/networks", first_steps.save_networks, Role.ADMIN),
    Route("POST", "/setup/look", first_steps.look, Role.ADMIN),
    Route("GET", "/setup/storage", first_steps.storage, Role.ADMIN),
    Route("POST", "/setup/storage", first_steps.save_storage, Role.ADMIN),
    Route("GET", "/setup/ready", first_steps.ready, Role.ADMIN),
    Route("POST", "/setup/ready", first_steps.begin, Role.ADMIN),
    Route("GET", "/setup/wait", first_steps.wait, Role.ADMIN),
    Route("POST", "/setup/confirm", first_steps.confirm, Role.ADMIN),
    Route("GET", "/setup/arrive", first_steps.show_arrival, EVERYBODY),
    Route("POST", "/setup/arrive", first_steps.arrive, EVERYBODY),
    Route("POST", "/logout", entry.log_out),
)


def add_routes(app: web.Application) -> None:
    """Add every page, and the files under ``/static/`` that pages are made with."""
    static = Static(STATIC)
    app[PAGES] = Pages(static)
    open_door(app, "GET", "/static/{version}/{name:.+}", static.answer, EVERYBODY)
    for route in ROUTES:
        open_door(app, route.method, route.path, _with_problem_page(route.handler), route.role)


def _with_problem_page(handler: Handler) -> Handler:
    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApplianceError as error:
            return problem_page(request, error, status_of(error))

    return answer
