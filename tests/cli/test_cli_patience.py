"""An appliance that is just starting is waited for, and nothing is done twice by that."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest
from cli_world import Cli

from appliance.cli import client, patience
from appliance.cli.client import Api
from appliance.cli.errors import Unreachable
from appliance.cli.patience import Patience


class Starting:
    """An appliance that begins to listen in the pause ``after``, and loses the first ``losing`` answers then."""

    def __init__(self) -> None:
        self.after, self.losing, self.now = 0, 0, 0.0
        self.pauses = 0
        self.heard: list[str] = []
        self._opened = ExitStack()
        with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
            self._port = server.server_port
        self.api = Api(f"http://127.0.0.1:{self._port}", None)  # type: ignore[arg-type]
        self.api.patience = Patience(30.0)

    def sleep(self, seconds: float) -> None:
        self.pauses += 1
        self.now += seconds
        if self.pauses == self.after:
            self.listen()

    def listen(self) -> None:
        starting = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                starting.heard.append(f"{self.command} {self.path}")
                if len(starting.heard) <= starting.losing:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_DELETE = do_GET

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        server = HTTPServer(("127.0.0.1", self._port), Handler)
        thread = Thread(target=server.serve_forever)
        thread.start()
        self._opened.callback(server.server_close)
        self._opened.callback(thread.join)
        self._opened.callback(server.shutdown)

    def close(self) -> None:
        self._opened.close()


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Starting]:
    def connection(host: str, port: int, timeout: float, context: object) -> client.http.client.HTTPConnection:
        return client.http.client.HTTPConnection(host, port, timeout=timeout)

    made = Starting()
    monkeypatch.setattr(client.http.client, "HTTPSConnection", connection)
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: made.now, sleep=made.sleep))
    yield made
    made.close()


def test_what_was_not_sent_at_all_is_sent_once_somebody_listens(
    starting: Starting, capsys: pytest.CaptureFixture[str]
) -> None:
    starting.after = 3
    assert starting.api.send("DELETE", "/machines/m1") == {}
    assert starting.heard == ["DELETE /api/v1/machines/m1"]
    assert starting.pauses == 3
    told = capsys.readouterr()
    assert told.err.splitlines() == [f"qrm: {starting.api.url} does not answer; waiting for it, up to 30 s"]
    assert told.out == "", "that is for programs"


def test_what_only_looks_is_asked_for_again_where_its_answer_was_lost(starting: Starting) -> None:
    starting.losing = 2
    starting.listen()
    assert starting.api.get("/machines") == {}
    assert starting.heard == ["GET /api/v1/machines"] * 3


def test_what_may_have_been_done_is_not(starting: Starting) -> None:
    starting.losing = 2
    starting.listen()
    with pytest.raises(Unreachable) as lost:
        starting.api.send("DELETE", "/machines/m1")
    assert (lost.value.code, starting.heard) == ("answer-lost", ["DELETE /api/v1/machines/m1"])


def test_it_ends_as_before_once_the_patience_is_over(starting: Starting) -> None:
    with pytest.raises(Unreachable) as silent:
        starting.api.get("/machines")
    assert silent.value.code == "not-reachable"
    assert (starting.now, starting.pauses) == (30.0, 60)


def test_who_was_waited_for_is_waited_for_as_long_again(starting: Starting) -> None:
    starting.after = 40
    starting.api.get("/machines")
    starting.close()
    with pytest.raises(Unreachable):
        starting.api.get("/machines")
    assert starting.pauses == 100


@pytest.mark.parametrize(("given", "says"), [([], True), (["--patience", "0"], False)])
async def test_scripts_hear_the_same_exit_code(qrm: Cli, given: list[str], says: bool) -> None:
    kept = qrm.config / "qrm" / "credentials.json"
    changed = json.loads(kept.read_text().replace(qrm.url, "https://127.0.0.1:1"))
    kept.write_text(json.dumps(changed))
    qrm.more["QRM_PATIENCE"] = "0.1"
    ended = await qrm.run(*given, "machines", code=3)
    assert "not-reachable" in ended.err
    assert ("waiting for it" in ended.err) is says
