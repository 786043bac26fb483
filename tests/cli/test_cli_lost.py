"""Answers that get lost on their way: what makes something is asked for again, and made once."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from cli_world import Cli

from appliance.cli import client
from appliance.cli.client import Api
from appliance.cli.credentials import Server
from appliance.cli.errors import Unreachable


@contextmanager
def deaf(losing: int) -> Iterator[tuple[Api, list[tuple[str, str | None]]]]:
    """An appliance whose first answers are lost after they were acted on, and what it was asked."""
    heard: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            heard.append((self.path, self.headers["Idempotency-Key"]))
            if len(heard) <= losing:
                self.close_connection = True
                return
            self.send_response(201)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_DELETE = do_POST

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Api(f"http://127.0.0.1:{server.server_port}", None), heard  # type: ignore[arg-type]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    def connection(host: str, port: int, timeout: float, context: object) -> client.http.client.HTTPConnection:
        return client.http.client.HTTPConnection(host, port, timeout=timeout)

    monkeypatch.setattr(client, "AGAIN", (0.0, 0.0))
    monkeypatch.setattr(client.http.client, "HTTPSConnection", connection)


@pytest.mark.usefixtures("plain_http")
def test_a_lost_answer_is_asked_for_again_under_the_same_key() -> None:
    with deaf(losing=2) as (api, heard):
        assert api.make("/deployments", {"name": "web-1"}) == {}
        assert len(heard) == 3
        assert len(set(heard)) == 1
        assert heard[0][1]
        api.make("/deployments", {"name": "web-1"})
        assert heard[3] != heard[0], "another wish has another key"


@pytest.mark.usefixtures("plain_http")
def test_in_the_end_it_says_that_it_may_have_been_done() -> None:
    with deaf(losing=9) as (api, heard), pytest.raises(Unreachable) as lost:
        api.make("/deployments", {})
    assert (lost.value.code, len(heard)) == ("answer-lost", 3)
    assert "look whether" in lost.value.hint


@pytest.mark.usefixtures("plain_http")
def test_what_has_no_key_is_sent_once() -> None:
    with deaf(losing=1) as (api, heard), pytest.raises(Unreachable):
        api.send("DELETE", "/machines/m1")
    assert heard == [("/api/v1/machines/m1", None)]


async def test_a_real_appliance_makes_it_once(qrm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "AGAIN", (0.0, 0.0))
    real, lost = client.http.client.HTTPSConnection.getresponse, list[bytes]()

    def losing(self: client.http.client.HTTPSConnection) -> client.http.client.HTTPResponse:
        answer = real(self)
        if not lost:
            lost.append(answer.read())
            raise ConnectionResetError("cut")
        return answer

    monkeypatch.setattr(client.http.client.HTTPSConnection, "getresponse", losing)
    kept = json.loads((qrm.config / "qrm" / "credentials.json").read_text())["servers"][qrm.url]
    api = client.api_of(Server(**kept))
    body = {"name": "git", "type": "A", "value": "10.77.0.9"}
    made = await asyncio.to_thread(api.make, "/network/names", body)
    assert json.loads(lost[0]) == made
    listed = (await qrm.run("network", "names", "--owner", "record", "--json")).json
    assert len(listed["items"]) == 1
