"""Help: the words that the product uses, the keys, and where more is written."""

from aiohttp import web

from appliance.web.console.glossary import KEYS, STATES, TERMS
from appliance.web.console.page import render


async def show(request: web.Request) -> web.Response:
    """GET /help"""
    return render(request, "help.html", terms=TERMS, keys=KEYS, states=STATES)
