"""The wait for work: one connection as long as it holds, another as soon as it does not."""

import socketserver
import threading
from collections.abc import Iterator

import pytest

from appliance.agent.errors import AgentError
from appliance.agent.poll import wait_for_work

QUIET = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwait\n"
COME = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ncome\n"
GONE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n"
BROKEN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n"


class Appliance(socketserver.ThreadingTCPServer):
    """Gives `answers` in turn; hangs up without a word after those whose place is in `hangs_up`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.answers: list[bytes] = []
        self.hangs_up: set[int] = set()
        self.given = self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/poll/p1"


class Conversation(socketserver.StreamRequestHandler):
    server: Appliance

    def handle(self) -> None:
        self.server.connections += 1
        while self.rfile.readline().startswith(b"GET /poll/p1 "):
            while self.rfile.readline() not in (b"\r\n", b""):
                continue
            given, self.server.given = self.server.given, self.server.given + 1
            self.wfile.write(self.server.answers[given])
            if given in self.server.hangs_up:
                return


@pytest.fixture
def appliance() -> Iterator[Appliance]:
    with Appliance() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def wait(appliance: Appliance) -> list[AgentError]:
    """The trouble that was told until the wait was over."""
    troubles: list[AgentError] = []
    wait_for_work(appliance.url, lambda _: None, troubles.append, lambda: None)
    return troubles


def test_quiet_answers_come_over_one_connection(appliance: Appliance) -> None:
    appliance.answers = [QUIET, QUIET, QUIET, COME]
    assert wait(appliance) == []
    assert (appliance.given, appliance.connections) == (4, 1)


def test_a_connection_that_the_appliance_let_go_of_is_no_trouble(appliance: Appliance) -> None:
    appliance.answers, appliance.hangs_up = [QUIET, QUIET, GONE], {0, 1}
    assert wait(appliance) == []
    assert (appliance.given, appliance.connections) == (3, 3)


def test_an_appliance_that_is_not_well_is_asked_again(appliance: Appliance) -> None:
    appliance.answers = [BROKEN, QUIET, COME]
    (trouble,) = wait(appliance)
    assert "answered 503" in str(trouble)
