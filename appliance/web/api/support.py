"""The support bundle, for programs."""

import time

from aiohttp import web

from appliance.web.keys import SERVICES, USER
from appliance.web.support import SUPPORT


async def bundle(request: web.Request) -> web.Response:
    """Everything that somebody who helps needs to see, as a gzipped tar; passwords, keys and tokens are not in it."""
    content = await request.app[SUPPORT].bundle(request[USER])
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(request.app[SERVICES].clock()))
    headers = {"Content-Disposition": f'attachment; filename="support-{moment}.tar.gz"', "Cache-Control": "no-store"}
    return web.Response(body=content, content_type="application/octet-stream", headers=headers)
