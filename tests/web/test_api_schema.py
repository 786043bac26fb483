"""The OpenAPI document is one, and every answer of the real application is in it (schemathesis)."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import schemathesis
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, seed, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from web_world import World, open_world

from appliance.certificates import authority
from appliance.store.store import READERS
from appliance.web.api.routes import BASE, ENDPOINTS

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


async def test_the_document_is_valid(admin: World) -> None:
    document = await admin.api("GET", "/openapi.json")
    OpenAPIV31SpecValidator(document).validate()
    operations = [operation for of in document["paths"].values() for operation in of.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["x-role"] in ("viewer", "operator", "admin", "everybody") for operation in operations)
    assert "description" in document["components"]["schemas"]["MachineOut"]["properties"]["address"]


class Served:
    """The application on a port, in a thread with a loop of its own."""

    def __init__(self, state: Path) -> None:
        self.url, self.token, self.document = "", "", {}
        self._state, self._ready, self._end = state, threading.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> "Served":
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        # Its threads begin now: one that began during a test would look like something that the test left behind.
        self._loop.set_default_executor(ThreadPoolExecutor(1))
        await asyncio.to_thread(int)
        async with open_world(self._state) as world:
            together = threading.Barrier(READERS)
            await asyncio.gather(*(world.services.store.read(lambda _: together.wait()) for _ in range(READERS)))
            self.token = await world.set_up()
            for number in range(1, 4):
                await world.machine(number)
            await world.image()
            await world.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo"})
            self.document = await world.api("GET", "/openapi.json")
            server = world.client.server
            assert isinstance(server, TestServer)
            self.url = str(server.make_url(BASE))
            self._ready.set()
            await self._end.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("state")
    (state / "appliance.toml").write_text(f'[site]\nstate_dir = "{state}"\n')
    authority(state, time.time())
    with Served(state) as running:
        yield running


NAMES = sorted(f"{each.method} {each.path}" for each in ENDPOINTS)
ENDING = {"POST /setup", "POST /sessions", "DELETE /sessions/current", "DELETE /sessions/{key}", "POST /images"}
"""They end the log-in or are rationed; and a disk image is no case for a generator."""


def explore(served: Served, name: str, examples: int, token: str) -> None:
    """Ask this of the application ``examples`` times, and compare the answers with the document."""
    method, _, path = name.partition(" ")
    operation = schemathesis.openapi.from_dict(served.document)[path][method]
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    @seed(20261121)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:
        case.headers.pop("Authorization", None)
        response = case.call(base_url=served.url, headers=headers, timeout=10)
        case.validate_response(response, checks=CHECKS)

    ask()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ENDING])
def test_the_administrator_is_answered_as_the_document_says(served: Served, name: str) -> None:
    explore(served, name, 8, served.token)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_answered_as_the_document_says(served: Served, name: str) -> None:
    explore(served, name, 2, "")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ENDING])
def test_the_administrator_is_answered_so_however_much_they_ask(served: Served, name: str) -> None:
    explore(served, name, 200, served.token)
