"""The appliance's JSON API over HTTPS. The standard library's client: it is imported in no time."""

import http.client
import json
import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from appliance.cli.credentials import Server
from appliance.cli.errors import Refused, Unreachable
from appliance.cli.patience import Patience
from appliance.cli.trust import context
from appliance.errors import ApplianceError, Invalid

SECONDS = 60
CHUNK = 1 << 20
"""Bytes sent at a time."""
LARGEST_AUTHORITY = 65536
AGAIN = (0.5, 2.0, 5.0)
"""Seconds before each further try to make something, once an answer was lost."""
CLOSED = (ConnectionResetError, BrokenPipeError)
"""What is seen of a connection whose other end stopped; one that closed without an answer is among them."""
LOST, CUT, BUSY = "answer-lost", "upload-cut", "idempotency-busy"

Progress = Callable[[int], None]
"""Called with the number of bytes just sent."""


class Answer(NamedTuple):
    """What came back, whatever it is."""

    status: int
    body: bytes
    etag: str
    """What is to be sent as If-Match with a change of what was shown; empty: nothing."""


def normal_url(text: str) -> str:
    """An address as users write it, as scheme, host and port; raises Invalid."""
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Invalid("url-invalid", f"{text[:200]!r}: {error}", "write https://ADDRESS:8443") from error
    if parts.scheme != "https" or not host or parts.path.strip("/") or parts.username is not None:
        raise Invalid("url-invalid", f"{text[:200]!r} is no address of an appliance", "write https://ADDRESS:8443")
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}:{port or 443}"


class Api:
    """Requests to one appliance; raises Unreachable, Refused, or ApplianceError for an answer of 5xx."""

    def __init__(self, url: str, tls: ssl.SSLContext, token: str = "") -> None:
        self.url, self.tls, self.token = url, tls, token
        self.seconds: float = SECONDS
        self.patience = Patience()
        """With whoever does not answer because it is just starting, as far as nothing is done twice by that."""
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port

    def get(self, path: str, **query: Any) -> Any:
        """GET; parameters that are None are left out, and those that are lists are given several times."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.request("GET", path + (f"?{urlencode(given, doseq=True)}" if given else ""))

    def seen(self, path: str) -> tuple[Any, str]:
        """One thing, and the mark of its state: with it, a change of what was not seen is refused."""
        answer = self._ask("GET", path, None, {})
        return _json(answer), answer.etag

    def send(self, method: str, path: str, body: dict[str, Any] | None = None, seen: str = "") -> Any:
        """PATCH, PUT, DELETE, or a POST that makes nothing, with a JSON object."""
        content = None if body is None else json.dumps(body).encode()
        return self.request(method, path, content, _headers(seen))

    def make(self, path: str, body: dict[str, Any], seen: str = "") -> Any:
        """POST of what makes or begins something: once only, even where its answer is lost and it is sent again."""
        content = json.dumps(body).encode()
        return self._once(path, lambda: content, _headers(seen), AGAIN)

    def upload(self, path: str, chunks: Callable[[], Iterable[bytes]], length: int, content_type: str) -> Any:
        """POST a stream of ``length`` bytes; ``chunks`` begins it, a second time where the connection was lost."""
        headers = {"Content-Length": str(length), "Content-Type": content_type}
        return self._once(path, chunks, headers, AGAIN[:1])

    def _once(
        self, path: str, body: Callable[[], bytes | Iterable[bytes]], headers: dict[str, str], pauses: Iterable[float]
    ) -> Any:
        keyed = headers | {"Idempotency-Key": _key()}
        try:
            return self.request("POST", path, body(), keyed)
        except Unreachable as error:
            if error.code not in (LOST, CUT):
                raise
            return self._again(path, body, keyed, pauses, error)

    def _again(
        self,
        path: str,
        body: Callable[[], bytes | Iterable[bytes]],
        headers: dict[str, str],
        pauses: Iterable[float],
        lost: Unreachable,
    ) -> Any:
        for pause in pauses:
            time.sleep(pause)
            try:
                return self.request("POST", path, body(), headers)
            except Unreachable as error:
                lost = error
            except Refused as error:
                if error.code != BUSY:
                    raise
        raise lost

    def request(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        """Any request below ``/api/v1``; the JSON of its answer."""
        return _json(self._ask(method, path, body, headers or {}))

    def save(self, path: str, body: dict[str, Any] | None, target: BinaryIO) -> int:
        """POST (or GET where ``body`` is None) whose answer is a file, written to ``target``; its bytes.

        Raises as ``request``, and ApplianceError ``answer-cut`` where the answer ended before its end.
        """
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}", "Accept": "*/*"}
        connection = self._connection()
        try:
            self._connect(connection)
            connection.request(method, f"/api/v1{path}", content, headers)
            response = connection.getresponse()
            if response.status >= 400:
                answer = Answer(response.status, response.read(), "")
                raise _refusal(answer.status, _json(answer), f"{method} {self.url}{path}")
            return _copied(response, target)
        except ssl.SSLCertVerificationError as error:
            raise _distrusted(self.url, error) from error
        except http.client.IncompleteRead as error:
            text = f"{self.url}: the answer ended before its end"
            raise ApplianceError("answer-cut", text, "ask again; what was written is not whole") from error
        except (OSError, http.client.HTTPException) as error:
            raise _silent(self.url, error) from error
        finally:
            connection.close()

    def _ask(self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: dict[str, str]) -> Answer:
        answer = self.raw(method, f"/api/v1{path}", body, headers)
        if answer.status >= 400:
            raise _refusal(answer.status, _json(answer), f"{method} {self.url}{path.partition('?')[0]}")
        return answer

    def raw(self, method: str, target: str, body: bytes | Iterable[bytes] | None, headers: dict[str, str]) -> Answer:
        """An answer, whatever it is; what only looks is asked for again where the connection is lost, with patience.

        Raises Unreachable, with the code ``answer-lost`` where it may have been done, and ``upload-cut`` where the
        connection of an upload ended before all of it was sent.
        """
        while True:
            try:
                answer = self._raw(method, target, body, headers)
            except Unreachable as error:
                if method != "GET" or not isinstance(error.__cause__, CLOSED) or not self.patience.lasts(self.url):
                    raise
            else:
                self.patience.rest()
                return answer

    def _connection(self) -> http.client.HTTPSConnection:
        host, port = self._address
        return http.client.HTTPSConnection(host, port, timeout=self.seconds, context=self.tls)

    def _connect(self, connection: http.client.HTTPSConnection) -> None:
        """Where nobody listens nothing was sent: wait for somebody, with patience. Raises OSError."""
        while True:
            try:
                return connection.connect()
            except ConnectionRefusedError:
                if not self.patience.lasts(self.url):
                    raise

    def _raw(self, method: str, target: str, body: bytes | Iterable[bytes] | None, headers: dict[str, str]) -> Answer:
        connection = self._connection()
        login = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        said = _silent
        try:
            self._connect(connection)
            said = _silent if body is None or isinstance(body, bytes) else _cut
            connection.request(method, target, body, {**headers, **login, "Accept": "application/json"})
            said = _silent if method == "GET" else _lost
            response = connection.getresponse()
            return Answer(response.status, response.read(), response.headers.get("ETag", ""))
        except ssl.SSLCertVerificationError as error:
            raise _distrusted(self.url, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise said(self.url, error) from error
        finally:
            connection.close()


def _copied(response: http.client.HTTPResponse, target: BinaryIO) -> int:
    """Raises http.client.IncompleteRead; one that has no length and is cut in pieces does so, too."""
    expected, size = response.length, 0
    while chunk := response.read(CHUNK):
        target.write(chunk)
        size += len(chunk)
    if expected is not None and size < expected:
        raise http.client.IncompleteRead(b"", expected - size)
    return size


def _headers(seen: str) -> dict[str, str]:
    return {"Content-Type": "application/json"} | ({"If-Match": seen} if seen else {})


def _key() -> str:
    """Of one wish of one run: nobody else has the same."""
    return f"qrm-{os.urandom(16).hex()}"


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body) if answer.body else None
    except ValueError:
        return None


def api_of(server: Server, patience: float = 0.0) -> Api:
    """The API of an appliance that the user is logged in to; ``patience`` is in seconds, for one that is starting."""
    api = Api(server.url, context(server.ca, names_matter=not server.pinned), server.token)
    api.patience = Patience(patience)
    return api


def segment(key: str) -> str:
    """An id or name as part of a path."""
    return quote(key, safe="")


def fetch_authority(url: str, tls: ssl.SSLContext) -> str:
    """The authority that the appliance says is its own, PEM; nothing of it is believed yet."""
    status, content, _ = Api(url, tls).raw("GET", "/ca.pem", None, {})
    if status != 200 or len(content) > LARGEST_AUTHORITY:
        hint = "is this an appliance? name its authority with --ca FILE"
        raise Unreachable("authority-missing", f"{url} shows no certificate authority of its own", hint)
    return content.decode(errors="replace")


def file_chunks(file: BinaryIO, progress: Progress) -> Iterator[bytes]:
    """A file in pieces, each told of when it is asked for the next."""
    while chunk := file.read(CHUNK):
        yield chunk
        progress(len(chunk))


def form_of_files(
    files: dict[str, Path], begin: Callable[[], Progress]
) -> tuple[Callable[[], Iterator[bytes]], int, str]:
    """A multipart form (RFC 7578) with these files in this order: what begins it, its length and content type."""
    boundary = f"qrm-{os.urandom(16).hex()}"
    heads = {
        name: f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()
        for name in files
    }
    end = f"--{boundary}--\r\n".encode()
    length = len(end) + sum(len(heads[name]) + path.stat().st_size + 2 for name, path in files.items())

    def pieces() -> Iterator[bytes]:
        progress = begin()
        for name, path in files.items():
            yield heads[name]
            with path.open("rb") as file:
                yield from file_chunks(file, progress)
            yield b"\r\n"
        yield end

    return pieces, length, f"multipart/form-data; boundary={boundary}"


def _refusal(status: int, answer: object, where: str) -> ApplianceError:
    said: dict[str, Any] = answer if isinstance(answer, dict) else {}
    code, detail = str(said.get("code") or f"http-{status}"), str(said.get("detail") or f"answer {status}")
    hint, field = str(said.get("hint") or ""), str(said.get("field") or "")
    if code == "login-needed":
        hint = "log in again with: qrm login"
    kind = Refused if status < 500 else ApplianceError
    return kind(code, f"{detail} ({where})", hint, field)


def _distrusted(url: str, error: ssl.SSLCertVerificationError) -> Unreachable:
    hint = "if it was set up anew, compare its fingerprint and use: qrm login URL --fingerprint SHA256"
    return Unreachable("certificate-distrusted", f"{url} is not the appliance you trust: {error.verify_message}", hint)


def _silent(url: str, error: OSError | http.client.HTTPException) -> Unreachable:
    return Unreachable("not-reachable", f"{url}: {reason_of(error)}", "is the appliance on, and is the address right?")


def _cut(url: str, error: OSError | http.client.HTTPException) -> Unreachable:
    message = f"{url}: {reason_of(error)} before all was sent; nothing of it is stored"
    return Unreachable(CUT, message, "send it again; if it is refused each time, look whether the name is taken")


def _lost(url: str, error: OSError | http.client.HTTPException) -> Unreachable:
    message = f"{url}: {reason_of(error)} before it answered; it may have been done"
    return Unreachable(LOST, message, "look whether it was done before you ask again")


def reason_of(error: BaseException | None) -> str:
    """What went wrong on a line, in the words of the system alone."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
