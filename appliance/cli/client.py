"""The appliance's JSON API over HTTPS. The standard library's client: it is imported in no time."""

import http.client
import json
import os
import ssl
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

from appliance.cli.credentials import Server
from appliance.cli.errors import Refused, Unreachable
from appliance.cli.trust import context
from appliance.errors import ApplianceError, Invalid

SECONDS = 60
CHUNK = 1 << 20
"""Bytes sent at a time."""
LARGEST_AUTHORITY = 65536

Progress = Callable[[int], None]
"""Called with the number of bytes just sent."""


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
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port

    def get(self, path: str, **query: Any) -> Any:
        """GET; parameters that are None are left out, and those that are lists are given several times."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.request("GET", path + (f"?{urlencode(given, doseq=True)}" if given else ""))

    def items(self, path: str) -> list[dict[str, Any]]:
        """The items of a listing."""
        return list(self.get(path)["items"])

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST, PATCH or DELETE with a JSON object."""
        content = None if body is None else json.dumps(body).encode()
        return self.request(method, path, content, {"Content-Type": "application/json"})

    def upload(self, path: str, chunks: Iterable[bytes], length: int, content_type: str) -> Any:
        """POST a stream of ``length`` bytes."""
        headers = {"Content-Length": str(length), "Content-Type": content_type}
        return self.request("POST", path, chunks, headers)

    def request(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        """Any request below ``/api/v1``; the JSON of its answer."""
        status, content = self.raw(method, f"/api/v1{path}", body, headers or {})
        try:
            answer = json.loads(content) if content else None
        except ValueError:
            answer = None
        if status >= 400:
            raise _refusal(status, answer, f"{method} {self.url}{path.partition('?')[0]}")
        return answer

    def raw(
        self, method: str, target: str, body: bytes | Iterable[bytes] | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """Status and body of an answer, whatever it is."""
        host, port = self._address
        connection = http.client.HTTPSConnection(host, port, timeout=self.seconds, context=self.tls)
        login = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            connection.request(method, target, body, {**headers, **login, "Accept": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        except ssl.SSLCertVerificationError as error:
            raise _distrusted(self.url, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise _silent(self.url, error) from error
        finally:
            connection.close()


def api_of(server: Server) -> Api:
    """The API of an appliance that the user is logged in to."""
    return Api(server.url, context(server.ca, names_matter=not server.pinned), server.token)


def segment(key: str) -> str:
    """An id or name as part of a path."""
    return quote(key, safe="")


def fetch_authority(url: str, tls: ssl.SSLContext) -> str:
    """The authority that the appliance says is its own, PEM; nothing of it is believed yet."""
    status, content = Api(url, tls).raw("GET", "/ca.pem", None, {})
    if status != 200 or len(content) > LARGEST_AUTHORITY:
        hint = "is this an appliance? name its authority with --ca FILE"
        raise Unreachable("authority-missing", f"{url} shows no certificate authority of its own", hint)
    return content.decode(errors="replace")


def file_chunks(file: BinaryIO, progress: Progress) -> Iterator[bytes]:
    """A file in pieces, each told of when it is asked for the next."""
    while chunk := file.read(CHUNK):
        yield chunk
        progress(len(chunk))


def form_of_files(files: dict[str, Path]) -> tuple[Iterator[bytes], int, str]:
    """A multipart form (RFC 7578) with these files in this order: its pieces, length and content type."""
    boundary = f"qrm-{os.urandom(16).hex()}"
    heads = {
        name: f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()
        for name in files
    }
    end = f"--{boundary}--\r\n".encode()
    length = len(end) + sum(len(heads[name]) + path.stat().st_size + 2 for name, path in files.items())

    def pieces() -> Iterator[bytes]:
        for name, path in files.items():
            yield heads[name]
            with path.open("rb") as file:
                yield from file_chunks(file, lambda _: None)
            yield b"\r\n"
        yield end

    return pieces(), length, f"multipart/form-data; boundary={boundary}"


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
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Unreachable("not-reachable", f"{url}: {reason}", "is the appliance on, and is the address right?")
