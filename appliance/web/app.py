"""The application: what is served where, and what every request goes through."""

import asyncio
import sqlite3

from aiohttp import web
from argon2 import PasswordHasher

from appliance.errors import NotFound
from appliance.recipes.shelf import Shelf
from appliance.reconcile.intake import Intake
from appliance.reconcile.recipe_build import ChildBuilder
from appliance.reconcile.recipes import OWN, Recipes
from appliance.reconcile.updates import Updates
from appliance.store.documents import one
from appliance.web import console_door, live, metrics
from appliance.web.api import routes as api
from appliance.web.api.recipes import RECIPES
from appliance.web.api.updates import UPDATES
from appliance.web.api.uploads import INTAKE
from appliance.web.arrival import ARRIVAL, Arrival
from appliance.web.auth import ACCOUNTS, Accounts
from appliance.web.backups import BACKUPS, Backups
from appliance.web.certificate import CERTIFICATE, ConsoleCertificate
from appliance.web.console import routes as console
from appliance.web.doors import DOORS, EVERYBODY, open_door
from appliance.web.health import HEALTH, Health, certificate_facts
from appliance.web.keys import SERVICES
from appliance.web.middleware import add_headers, errors, guard
from appliance.web.passwords import Passwords, default_hasher
from appliance.web.services import Services
from appliance.web.setup import SETUP, Setup
from appliance.web.support import SUPPORT, Support
from appliance.web.users import USERS, Users

LARGEST_BODY = 256 * 1024
"""Bytes of a body that is read whole; uploads are streamed and bounded by the disk."""


def make_app(services: Services, hasher: PasswordHasher | None = None) -> web.Application:
    """Console and API over ``services``; ``hasher`` is for tests that log in often."""
    app = web.Application(middlewares=[errors, guard], client_max_size=LARGEST_BODY)
    passwords = Passwords(hasher or default_hasher())
    app[SERVICES] = services
    app[ACCOUNTS] = Accounts(services.store, services.bus, services.clock, passwords)
    app[USERS] = Users(services.store, services.bus, services.clock, app[ACCOUNTS])
    app[CERTIFICATE] = ConsoleCertificate(services.store, services.bus, services.clock, services.tls, services.hosts)
    app[SETUP] = Setup(services.store, services.bus, services.clock, services.state_dir, passwords)
    if services.first_start is not None:
        app[ARRIVAL] = Arrival(services.store, services.bus, services.clock, services.first_start)
    app[HEALTH] = Health(services, lambda: certificate_facts(services.tls))
    app[SUPPORT] = Support(services, app[HEALTH])
    app[BACKUPS] = Backups(services)
    app[UPDATES] = services.updates or Updates(
        services.store, services.bus, services.clock, services.state_dir, services.privileged
    )
    app[INTAKE] = services.intake or Intake(services.store, services.bus, services.clock, services.imports)
    app[RECIPES] = services.recipes or Recipes(
        services.store,
        services.bus,
        services.clock,
        app[INTAKE],
        Shelf(services.state_dir / OWN),
        ChildBuilder(),
    )
    app.on_response_prepare.append(add_headers)
    app[DOORS] = {}
    open_door(app, "GET", "/healthz", _health, EVERYBODY)
    open_door(app, "GET", "/ca.pem", _authority, EVERYBODY)
    live.add_routes(app)
    console_door.add_routes(app)
    metrics.add_routes(app)
    api.add_routes(app)
    console.add_routes(app)
    return app


async def _health(request: web.Request) -> web.Response:
    """For monitors: 200 while the state can be read. ``serves``: what is meant to be bound, for judging a version."""

    def job(db: sqlite3.Connection) -> None:
        one(db, "SELECT 1 FROM settings")

    services = request.app[SERVICES]
    await services.store.read(job)
    return web.json_response({"status": "ok", "serves": list(services.serves())})


async def _authority(request: web.Request) -> web.Response:
    """The certificate authority's certificate, which a client pins after its fingerprint was compared."""
    path = request.app[SERVICES].state_dir / "ca.pem"
    try:
        pem = await asyncio.to_thread(path.read_bytes)
    except FileNotFoundError:
        raise NotFound("authority-unknown", "this appliance has no certificate authority of its own") from None
    return web.Response(body=pem, content_type="application/x-pem-file")
