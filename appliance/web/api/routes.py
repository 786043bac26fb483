"""The one table of the API's addresses, with what they take and give."""

import asyncio
from functools import cache

from aiohttp import web

from appliance.accounts import Role
from appliance.web.api import (
    accounts,
    bulk,
    catalogue,
    changes,
    deployments,
    events,
    find,
    machines,
    metrics,
    power,
    rescue,
    settings,
    shapes,
    tasks,
    versions,
)
from appliance.web.api.access_routes import ACCESS
from appliance.web.api.appliance_routes import APPLIANCE
from appliance.web.api.conventions import checked
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.first_start import FIRST_START
from appliance.web.api.idempotency import prepare
from appliance.web.api.iso_routes import ISOS
from appliance.web.api.listing import Page
from appliance.web.api.network_routes import NETWORK
from appliance.web.api.openapi import document
from appliance.web.api.recipe_routes import RECIPES
from appliance.web.api.shapes import Items
from appliance.web.api.storage_routes import STORAGE
from appliance.web.api.upload_routes import UPLOADS
from appliance.web.api.vm_consoles import VM_CONSOLES
from appliance.web.api.vm_figures import VM_FIGURES
from appliance.web.api.vm_routes import VMS
from appliance.web.doors import open_door

BASE = "/api/v1"
ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "/setup", accounts.set_up, 201, shapes.SessionOut, shapes.SetupIn, public=True),
    *FIRST_START,
    Endpoint("POST", "/sessions", accounts.log_in, 201, shapes.SessionOut, shapes.SessionIn, public=True),
    Endpoint("GET", "/sessions/current", accounts.current, 200, shapes.UserOut),
    Endpoint("DELETE", "/sessions/current", accounts.log_out, 204, role=Role.VIEWER),
    *ACCESS,
    Endpoint("GET", "/machines", machines.index, 200, Page[shapes.MachineOut], query=machines.QUERY),
    Endpoint(
        "GET", "/machines/summary", machines.summary, 200, machines.MachineSummary, query=machines.SUMMARY_QUERY
    ),
    Endpoint("GET", "/machines/{key}", machines.show, 200, shapes.MachineDetail, version=versions.machine),
    Endpoint("POST", "/machines/bulk", bulk.machines, 202, tasks.TaskDetail, bulk.MachinesBulkIn),
    Endpoint(
        "PATCH", "/machines/{key}", machines.change, 200, shapes.MachineDetail, shapes.MachineIn,
        version=versions.machine,
    ),
    Endpoint("DELETE", "/machines/{key}", machines.delete, 204, version=versions.machine),
    Endpoint(
        "GET", "/machines/{key}/timeline", machines.events, 200, Page[shapes.EventOut], query=machines.TIMELINE_QUERY
    ),
    Endpoint("GET", "/machines/{key}/boot-messages", rescue.boot_messages, 200, rescue.BootMessagesOut),
    Endpoint(
        "GET", "/machines/{key}/consequences", rescue.consequences, 200, shapes.ConsequencesOut,
        query=rescue.CONSEQUENCES_QUERY,
    ),
    Endpoint("POST", "/machines/{key}/rescue", rescue.rescue, 202, tasks.TaskDetail, rescue.RescueIn),
    Endpoint("POST", "/machines/{key}/end-rescue", rescue.end, 202, tasks.TaskDetail, rescue.EmptyIn),
    Endpoint("POST", "/machines/{key}/admit", rescue.admit, 200, shapes.MachineDetail, rescue.EmptyIn),
    Endpoint("GET", "/machines/{key}/power", power.show, 200, power.PowerSettingsOut, role=Role.ADMIN),
    Endpoint(
        "PUT", "/machines/{key}/power", power.put, 200, power.PowerSettingsOut, power.PowerSettingsIn, role=Role.ADMIN
    ),
    Endpoint(
        "GET", "/machines/{key}/power/certificate", power.certificate, 200, power.ControllerCertificateOut,
        query=power.CERTIFICATE_QUERY, role=Role.ADMIN,
    ),
    Endpoint("DELETE", "/machines/{key}/power", power.delete, 204, role=Role.ADMIN),
    Endpoint("POST", "/machines/{key}/power/{action}", power.act, 202, tasks.TaskDetail, power.PowerActionIn),
    *UPLOADS,
    *RECIPES,
    *STORAGE,
    *VMS,
    *VM_FIGURES,
    *VM_CONSOLES,
    Endpoint("GET", "/images", catalogue.images, 200, Page[shapes.ImageOut], query=catalogue.IMAGES_QUERY),
    Endpoint("POST", "/images", catalogue.add_image, 201, shapes.ImageOut, bytes, catalogue.IMAGE_UPLOAD),
    Endpoint("GET", "/images/{key}", catalogue.image, 200, shapes.ImageOut, version=versions.image),
    Endpoint(
        "PATCH", "/images/{key}", changes.image, 200, shapes.ImageOut, changes.ImageChangeIn, version=versions.image
    ),
    Endpoint("GET", "/images/{key}/consequences", catalogue.image_consequences, 200, shapes.ConsequencesOut),
    Endpoint("DELETE", "/images/{key}", catalogue.delete_image, 204, version=versions.image),
    *ISOS,
    Endpoint("GET", "/kernels", catalogue.kernels, 200, Page[shapes.KernelOut], query=catalogue.KERNELS_QUERY),
    Endpoint(
        "POST", "/kernels", catalogue.add_kernel, 201, shapes.KernelOut, catalogue.KERNEL_FILES,
        catalogue.KERNEL_UPLOAD,
    ),
    Endpoint("GET", "/kernels/{key}", catalogue.kernel, 200, shapes.KernelOut, version=versions.kernel),
    Endpoint(
        "PATCH", "/kernels/{key}", changes.kernel, 200, shapes.KernelOut, changes.KernelChangeIn,
        version=versions.kernel,
    ),
    Endpoint("DELETE", "/kernels/{key}", catalogue.delete_kernel, 204, version=versions.kernel),
    Endpoint("GET", "/deployments", deployments.index, 200, Page[shapes.DeploymentOut], query=deployments.QUERY),
    Endpoint("POST", "/deployments", deployments.create, 201, shapes.DeploymentOut, shapes.DeploymentIn),
    Endpoint("POST", "/deployments/bulk", bulk.deployments, 202, tasks.TaskDetail, bulk.DeploymentsBulkIn),
    Endpoint("GET", "/deployments/{key}", deployments.show, 200, shapes.DeploymentOut, version=versions.deployment),
    Endpoint(
        "PATCH", "/deployments/{key}", changes.deployment, 200, shapes.DeploymentOut, changes.DeploymentChangeIn,
        version=versions.deployment,
    ),
    Endpoint("GET", "/deployments/{key}/seed", deployments.seed, 200, shapes.SeedTextsOut, role=Role.OPERATOR),
    Endpoint("DELETE", "/deployments/{key}", deployments.delete, 204, version=versions.deployment),
    Endpoint(
        "GET", "/deployments/{key}/consequences", deployments.consequences, 200, shapes.ConsequencesOut,
        query=deployments.CONSEQUENCES_QUERY,
    ),
    Endpoint(
        "POST", "/deployments/{key}/{action}", deployments.act, 202, tasks.TaskDetail, shapes.ActionIn,
        version=versions.deployment,
    ),
    Endpoint("GET", "/tasks", tasks.index, 200, Page[tasks.TaskOut], query=tasks.QUERY),
    Endpoint("GET", "/tasks/{key}", tasks.show, 200, tasks.TaskDetail),
    Endpoint("GET", "/tasks/{key}/log", tasks.log, 200, tasks.TaskLog, query=tasks.LOG_QUERY),
    Endpoint("POST", "/tasks/{key}/cancel", tasks.cancel, 200, tasks.TaskDetail),
    Endpoint("GET", "/metrics/history", metrics.history, 200, metrics.HistoryOut, query=metrics.QUERY),
    Endpoint("GET", "/find", find.index, 200, Items[find.FoundOut], query=find.QUERY),
    Endpoint("GET", "/settings", settings.show, 200, settings.SettingsOut),
    *APPLIANCE,
    *NETWORK,
    Endpoint("GET", "/events", events.index, 200, Page[shapes.EventOut], query=events.QUERY),
)  # fmt: skip


def add_routes(app: web.Application) -> None:
    """Add every endpoint, and the OpenAPI document that describes them."""
    prepare(app)
    for endpoint in ENDPOINTS:
        handler = checked(endpoint)
        open_door(app, endpoint.method, BASE + endpoint.path, handler, endpoint.least)
        if endpoint.method == "GET":
            open_door(app, "HEAD", BASE + endpoint.path, handler, endpoint.least)
    open_door(app, "GET", f"{BASE}/openapi.json", _openapi, Role.VIEWER)


@cache
def the_document() -> bytes:
    """The OpenAPI document; made when it is first asked for, since it takes 3 MB that most appliances never need."""
    return document(BASE, ENDPOINTS)


async def _openapi(_: web.Request) -> web.Response:
    return web.Response(body=await asyncio.to_thread(the_document), content_type="application/json")
