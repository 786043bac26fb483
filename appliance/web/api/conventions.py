"""What all endpoints of the API have in common, put around each handler."""

from functools import wraps

from aiohttp import web

from appliance.web.api.endpoint import Endpoint
from appliance.web.api.query import given
from appliance.web.doors import Handler


def checked(endpoint: Endpoint) -> Handler:
    """The endpoint's handler, behind the check of its query: what is not declared is refused."""

    @wraps(endpoint.handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        given(request, endpoint.query)
        return await endpoint.handler(request)

    return answer
