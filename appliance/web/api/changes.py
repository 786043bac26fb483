"""Changes of deployments, images and kernels for programs."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.cloud_init import NETWORK_CONFIG, USER_DATA
from appliance.deployment import Requirements
from appliance.reconcile.changes import Changes, DeploymentChange
from appliance.reconcile.views import deployment_view
from appliance.web.api import outward, shapes
from appliance.web.api.body import answer, body, key
from appliance.web.keys import SERVICES, USER

Text = Annotated[str, msgspec.Meta(max_length=4000)]


class DeploymentChangeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a deployment; null leaves it as it is. What runs goes on as it is until the next deploy."""

    name: shapes.Line | None = None
    """Only while it is on no machine."""
    image: shapes.Line | Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)] | None = None
    """Id or name; the next deploy writes it."""
    requirements: shapes.RequirementsIn | None = None
    """All of them from the next start on that chooses a machine."""
    ssh_keys: Annotated[list[Annotated[str, msgspec.Meta(max_length=20_000)]], msgspec.Meta(max_length=100)] | None = (
        None
    )
    """All of them from the next deploy on."""
    wipe_on_release: bool | None = None
    wipe_method: shapes.WipeMethodName | None = None
    pool: shapes.Line | None = None
    """Of the root volume that the next deploy makes; empty takes the first that fits."""
    root_size: shapes.Bytes | None = None
    """Bytes that it has at least; 0 has it chosen by the image."""
    kernel: shapes.Line | None = None
    """Name or number of the kernel that the next start takes; empty takes the appliance's own."""
    user_data: shapes.SeedText | None = None
    """For cloud-init, from the next deploy on; empty takes it away."""
    network_config: shapes.SeedText | None = None
    """The same; empty has it made by itself."""


class ImageChangeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of an image; null leaves it as it is. Its content never changes."""

    name: shapes.Line | None = None
    description: Text | None = None


class KernelChangeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a kernel; null leaves it as it is."""

    name: shapes.Line | None = None
    cmdline: Text | None = None
    """Default command line."""


def _changes(request: web.Request) -> Changes:
    services = request.app[SERVICES]
    return Changes(services.store, services.bus, services.clock)


async def deployment(request: web.Request) -> web.Response:
    """Change a deployment; the next deploy makes it so."""
    services, given = request.app[SERVICES], await body(request, DeploymentChangeIn)
    change = DeploymentChange(
        given.name,
        None if given.image is None else str(given.image),
        _requirements(given.requirements),
        given.ssh_keys,
        given.wipe_on_release,
        given.wipe_method,
        given.pool,
        given.root_size,
        given.kernel,
        services.seeds.sealed({USER_DATA: given.user_data, NETWORK_CONFIG: given.network_config}),
    )
    changed = await _changes(request).deployment(key(request), change, request[USER])
    view = await deployment_view(services.store, str(changed.id))
    return answer(outward.deployment(view, services.domain, services.clock()))


def _requirements(of: shapes.RequirementsIn | None) -> Requirements | None:
    if of is None:
        return None
    return Requirements(of.cpus, of.memory_bytes, of.disk_bytes, of.firmware, tuple(of.tags))


async def image(request: web.Request) -> web.Response:
    """Change what an image is called, and what is said of it."""
    given = await body(request, ImageChangeIn)
    changed = await _changes(request).image(key(request), given.name, given.description, request[USER])
    return answer(outward.image(changed, request.app[SERVICES].imports.lacks(changed)))


async def kernel(request: web.Request) -> web.Response:
    """Change a kernel's name and default command line."""
    given = await body(request, KernelChangeIn)
    changed = await _changes(request).kernel(key(request), given.name, given.cmdline, request[USER])
    return answer(outward.kernel(changed, request.app[SERVICES].imports.lacks(changed)))
