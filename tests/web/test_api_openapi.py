"""The OpenAPI document describes what is there."""

import json
import re
from typing import Any

from web_world import World


async def test_every_endpoint_is_described(admin: World) -> None:
    document = await admin.api("GET", "/openapi.json")
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, of in document["paths"].items() for method in of}
    served = {
        (route.method, route.resource.canonical.removeprefix("/api/v1"))
        for route in admin.client.app.router.routes()
        if route.method != "HEAD" and route.resource and route.resource.canonical.startswith("/api/v1/")
    }
    web_sockets = {("GET", "/live"), ("GET", "/vms/{key}/console/{kind}")}
    assert described == served - web_sockets - {("GET", "/openapi.json")}
    assert all(operation["summary"] for of in document["paths"].values() for operation in of.values())


async def test_every_reference_leads_somewhere(admin: World) -> None:
    document = await admin.api("GET", "/openapi.json")
    for name in re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]


async def test_answers_have_the_fields_that_are_described(admin: World) -> None:
    await admin.machine()
    document = await admin.api("GET", "/openapi.json")
    fields: dict[str, Any] = document["components"]["schemas"]["MachineDetail"]["properties"]
    assert set(await admin.api("GET", "/machines/m1")) == set(fields)
