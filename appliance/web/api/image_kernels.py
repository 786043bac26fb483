"""Kernels out of images, for programs."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.web.api import tasks
from appliance.web.api.body import body, key
from appliance.web.api.uploads import INTAKE
from appliance.web.keys import USER

Line = Annotated[str, msgspec.Meta(max_length=200)]


class ExtractIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which kernel of the image is to be taken out."""

    version: Line = ""
    """As `uname -r` tells it; left out, the newest that has its modules there."""
    name: Line = ""
    """What it is to be called; left out, after the image and its version."""


async def extract(request: web.Request) -> web.Response:
    """Take a kernel out of an image, with its initrd and what roots on the network need of its modules.

    The answer is the task that does it; its result is the kernel.
    """
    sent = await body(request, ExtractIn)
    task = await request.app[INTAKE].kernels.extract(key(request), sent.version, sent.name, request[USER])
    return await tasks.shown(request, str(task.id))
