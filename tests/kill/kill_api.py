"""A user with a program: the JSON API over HTTPS, one connection for each call."""

import http.client
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kill_network import Network

NAME, PASSWORD = "operator", "correct horse battery staple"


class RefusedError(Exception):
    """The API said no."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem}")
        self.status, self.code = status, str(problem.get("code"))
        self.problem = problem


class User:
    """Sets the appliance up, stays logged in over its restarts; calls ``before_wish`` before changing anything."""

    def __init__(self, network: Network, state: Path, before_wish: Callable[[], None] = lambda: None) -> None:
        self._network, self._before_wish = network, before_wish
        self._context = ssl.create_default_context(cafile=str(state / "ca.pem"))
        link = (state / "setup-url").read_text().splitlines()[0]
        self._token = ""
        made = self.post("/setup", token=link.partition("token=")[2], name=NAME, password=PASSWORD)
        self._token = str(made["token"])

    def get(self, path: str) -> Any:
        """GET; raises RefusedError."""
        return self.call("GET", path)

    def post(self, path: str, **body: Any) -> Any:
        """POST an object; raises RefusedError."""
        return self.call("POST", path, json.dumps(body).encode(), "application/json")

    def put(self, path: str, **body: Any) -> Any:
        """PUT an object; raises RefusedError."""
        return self.call("PUT", path, json.dumps(body).encode(), "application/json")

    def patch(self, path: str, **body: Any) -> Any:
        """PATCH with an object; raises RefusedError."""
        return self.call("PATCH", path, json.dumps(body).encode(), "application/json")

    def call(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Any:
        """Any request; ``path`` is below ``/api/v1``."""
        headers = {"Content-Type": kind} if kind else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if method != "GET":
            self._before_wish()
        with self._network.inside():
            connection = http.client.HTTPSConnection("127.0.0.1", 8443, timeout=30, context=self._context)
            try:
                connection.request(method, f"/api/v1{path}", body, headers)
                answer = connection.getresponse()
                said = json.loads(answer.read() or b"null")
            finally:
                connection.close()
        if answer.status >= 400:
            raise RefusedError(answer.status, said or {})
        return said

    def act(self, deployment: str, action: str) -> None:
        """Ask what it would do, agree, do it."""
        foreseen = self.get(f"/deployments/{deployment}/consequences?action={action}")
        assert not foreseen["refused"], foreseen
        self.post(f"/deployments/{deployment}/{action}", confirm=foreseen["confirm"], content=foreseen["content"])
