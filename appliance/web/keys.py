"""Where pages and API endpoints find what they need: typed keys of the application and of a request."""

from aiohttp import web

from appliance.accounts import Asker
from appliance.web.services import Services

SERVICES = web.AppKey("services", Services)
"""``request.app[SERVICES]``: everything a handler may use."""

USER = web.RequestKey("user", Asker)
"""``request[USER]``: who asks; set by the middleware on every request that needs it."""
