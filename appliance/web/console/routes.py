"""The one table of the console's addresses."""

from collections.abc import Awaitable, Callable
from functools import wraps

from aiohttp import web

from appliance.errors import ApplianceError
from appliance.web.assets import STATIC
from appliance.web.console import (
    deployment_actions,
    deployment_form,
    deployments,
    entry,
    eventlog,
    images,
    kernels,
    machine_actions,
    machines,
    overview,
    settings,
)
from appliance.web.console.page import PAGES, Pages, problem_page
from appliance.web.console.static import Static
from appliance.web.problem import status_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", overview.show),
    ("GET", "/tasks", overview.tasks),
    ("GET", "/machines", machines.index),
    ("GET", "/machines/{key}", machines.show),
    ("GET", "/machines/{key}/inventory", machines.inventory),
    ("GET", "/machines/{key}/timeline", machines.timeline),
    ("GET", "/machines/{key}/timeline.txt", machines.timeline_text),
    ("POST", "/machines/{key}/maintenance", machine_actions.maintenance),
    ("POST", "/machines/{key}/mend", machine_actions.mend),
    ("GET", "/machines/{key}/edit", machine_actions.edit),
    ("POST", "/machines/{key}/edit", machine_actions.save),
    ("GET", "/machines/{key}/broken", machine_actions.ask_broken),
    ("POST", "/machines/{key}/broken", machine_actions.broken),
    ("GET", "/machines/{key}/delete", machine_actions.ask_delete),
    ("POST", "/machines/{key}/delete", machine_actions.delete),
    ("GET", "/deployments", deployments.index),
    ("GET", "/deployments/new", deployment_form.show),
    ("POST", "/deployments/new", deployment_form.create),
    ("GET", "/deployments/new/choices", deployment_form.choices),
    ("GET", "/deployments/{key}", deployments.show),
    ("GET", "/deployments/{key}/timeline", deployments.timeline),
    ("GET", "/deployments/{key}/delete", deployment_actions.ask_delete),
    ("POST", "/deployments/{key}/delete", deployment_actions.delete),
    ("GET", "/deployments/{key}/{action}", deployment_actions.ask),
    ("POST", "/deployments/{key}/{action}", deployment_actions.act),
    ("GET", "/images", images.index),
    ("GET", "/images/new", images.form),
    ("POST", "/images/new", images.upload),
    ("GET", "/images/{key}", images.show),
    ("GET", "/images/{key}/delete", images.ask_delete),
    ("POST", "/images/{key}/delete", images.delete),
    ("GET", "/kernels", kernels.index),
    ("GET", "/kernels/new", kernels.form),
    ("POST", "/kernels/new", kernels.upload),
    ("GET", "/kernels/{key}/delete", kernels.ask_delete),
    ("POST", "/kernels/{key}/delete", kernels.delete),
    ("GET", "/events", eventlog.index),
    ("GET", "/settings", settings.show),
    ("GET", "/login", entry.show_login),
    ("POST", "/login", entry.log_in),
    ("GET", "/setup", entry.show_setup),
    ("POST", "/setup", entry.set_up),
    ("POST", "/logout", entry.log_out),
)


def add_routes(app: web.Application) -> None:
    """Add every page, and the files under ``/static/`` that pages are made with."""
    static = Static(STATIC)
    app[PAGES] = Pages(static)
    app.router.add_get("/static/{version}/{name:.+}", static.answer)
    for method, path, handler in ROUTES:
        app.router.add_route(method, path, _with_problem_page(handler))


def _with_problem_page(handler: Handler) -> Handler:
    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApplianceError as error:
            return problem_page(request, error, status_of(error))

    return answer
