"""Handlers whose modules are imported when somebody asks: a daemon at rest does without them."""

from importlib import import_module
from typing import cast

from aiohttp import web

from appliance.web.doors import Handler


def later(module: str, name: str) -> Handler:
    """The handler ``name`` of a module beside this one; that it is there is for tests to see."""

    async def answer(request: web.Request) -> web.StreamResponse:
        handler = cast("Handler", getattr(import_module(f"appliance.web.console.{module}"), name))
        return await handler(request)

    return answer
