"""Answers that get lost on their way: what makes something is asked for again, and made once."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cli_world import Cli

from appliance.cli import client
from appliance.cli.client import Api
from appliance.cli.credentials import Server
from appliance.cli.errors import Unreachable
from appliance.cli.uploading import uploading


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
        yield Api(f"http://127.0.0.1:{server.server_port}", None), heard
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


@pytest.mark.usefixtures("plain_http")
def test_an_upload_is_sent_once_more_from_its_beginning() -> None:
    begun: list[int] = []

    def chunks() -> Iterator[bytes]:
        begun.append(1)
        yield from (b"a" * 10, b"b" * 10)

    with deaf(losing=1) as (api, heard):
        assert api.upload("/images?name=x", chunks, 20, "application/octet-stream") == {}
    assert (len(heard), len(set(heard)), len(begun)) == (2, 1, 2)
    assert heard[0][1]
    with deaf(losing=9) as (api, heard), pytest.raises(Unreachable) as lost:
        api.upload("/images?name=x", chunks, 20, "application/octet-stream")
    assert (lost.value.code, len(heard)) == ("answer-lost", 2)


@pytest.mark.usefixtures("plain_http")
def test_an_upload_that_was_cut_is_sent_once_more_and_then_says_what_to_do() -> None:
    tries: list[int] = []

    def cut() -> Iterator[bytes]:
        tries.append(1)
        yield b"a"
        raise ConnectionResetError("cut")

    with deaf(losing=0) as (api, _), pytest.raises(Unreachable) as lost:
        api.upload("/images?name=x", cut, 20, "application/octet-stream")
    assert (lost.value.code, len(tries)) == ("upload-cut", 2)
    assert "send it again" in lost.value.hint


@pytest.mark.usefixtures("plain_http")
def test_an_upload_to_nobody_is_not_repeated() -> None:
    with deaf(losing=0) as (api, _):
        pass
    with pytest.raises(Unreachable) as silent:
        api.upload("/images?name=x", lambda: iter(()), 20, "application/octet-stream")
    assert silent.value.code == "not-reachable"


def losing_the_first(monkeypatch: pytest.MonkeyPatch, only: str) -> list[str]:
    """The connection is lost before the first answer to such a request; what was asked, with its key."""
    connection = client.http.client.HTTPSConnection
    request, answer, asked = connection.request, connection.getresponse, list[str]()

    def noting(self: Any, method: str, url: str, body: Any, headers: dict[str, str]) -> None:
        self.noted = method == "POST" and only in url
        if self.noted:
            asked.append(headers["Idempotency-Key"])
        request(self, method, url, body, headers)

    def losing(self: Any) -> client.http.client.HTTPResponse:
        got = answer(self)
        if self.noted and len(asked) == 1:
            assert got.status == 201, got.read()
            raise ConnectionResetError("cut")
        return got

    monkeypatch.setattr(client, "AGAIN", (0.0, 0.0))
    monkeypatch.setattr(connection, "request", noting)
    monkeypatch.setattr(connection, "getresponse", losing)
    return asked


def connected(qrm: Cli) -> Api:
    kept = json.loads((qrm.config / "qrm" / "credentials.json").read_text())["servers"][qrm.url]
    return client.api_of(Server(**kept))


async def test_a_real_appliance_stores_an_image_once(qrm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is given again once the second upload is through: nobody's connection breaks in the middle."""
    asked = losing_the_first(monkeypatch, "/images")
    upload = partial(
        connected(qrm).upload, "/images?name=big", length=32 << 20, content_type="application/octet-stream"
    )
    made = await asyncio.to_thread(upload, lambda: iter([b"\0" * (1 << 20)] * 32))
    assert (made["name"], made["size"]) == ("big", 32 << 20)
    assert (len(asked), len(set(asked))) == (2, 1)
    assert len((await qrm.run("images", "--json")).json["items"]) == 1


async def test_a_real_appliance_stores_a_kernel_once(
    qrm: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    vmlinuz = tmp_path / "vmlinuz"
    vmlinuz.write_bytes(b"\0" * 0x202 + b"HdrS" + b"\0" * (3 << 20))
    asked, api = losing_the_first(monkeypatch, "/kernels"), connected(qrm)
    with uploading("six", vmlinuz.stat().st_size) as begin:
        pieces, length, content_type = client.form_of_files({"vmlinuz": vmlinuz}, begin)
        made = await asyncio.to_thread(api.upload, "/kernels?name=six", pieces, length, content_type)
    assert made["name"] == "six"
    assert (len(asked), len(set(asked))) == (2, 1)
    assert len((await qrm.run("kernels", "--json")).json["items"]) == 1
    assert "sending it once more" in capsys.readouterr().err


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
    api = connected(qrm)
    body = {"name": "git", "type": "A", "value": "10.77.0.9"}
    made = await asyncio.to_thread(api.make, "/network/names", body)
    assert json.loads(lost[0]) == made
    listed = (await qrm.run("network", "names", "--owner", "record", "--json")).json
    assert len(listed["items"]) == 1
