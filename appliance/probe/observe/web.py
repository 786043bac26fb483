"""Files over plain HTTP, with the standard library's client. Redirects are not followed, as firmware does not."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from time import monotonic
from urllib.parse import urlsplit

from appliance.probe.observed import Fetch

MOST_BYTES = 64 * 1024 * 1024
_SECONDS = 5.0
_CHUNK = 256 * 1024
_LONGEST = 10.0
"""Seconds after which a file is left: its speed is known by then."""


def fetch(url: str, source: str, part: int | None = None) -> Fetch:
    """A file from our address ``source``; only its first ``part`` bytes where that is given."""
    partly = part is not None
    try:
        head = _size(url, source) if part is None else None
        with closing(_connection(url, source)) as connection:
            headers = {"Range": f"bytes=0-{part - 1}"} if part is not None else {}
            start = monotonic()
            connection.request("GET", _path(url), headers=headers)
            answer = connection.getresponse()
            read = _read(answer, part or MOST_BYTES, start + _LONGEST)
            size = _whole(answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Fetch(url, partly=partly, trouble=_trouble(error), words=str(error) or type(error).__name__)
    short = size is not None and part is None and read < min(size, MOST_BYTES)
    return Fetch(
        url,
        status=answer.status,
        size=size,
        read=read,
        seconds=monotonic() - start,
        partly=partly,
        head=head,
        trouble="other" if short else "",
    )


def document(url: str, source: str) -> Mapping[str, object]:
    """A small JSON object; an empty one where there is none."""
    try:
        with closing(_connection(url, source)) as connection:
            connection.request("GET", _path(url))
            answer = connection.getresponse()
            found = json.loads(answer.read(_CHUNK)) if answer.status == 200 else {}
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _connection(url: str, source: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{parts.scheme or 'this'} is not plain HTTP")
    return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_SECONDS, source_address=(source, 0))


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _size(url: str, source: str) -> int | None:
    with closing(_connection(url, source)) as connection:
        connection.request("HEAD", _path(url))
        return _whole(connection.getresponse())


def _whole(answer: http.client.HTTPResponse) -> int | None:
    """Bytes of the file, also where a part of it is sent (RFC 9110 section 14.4)."""
    _, _, total = (answer.getheader("Content-Range") or "").partition("/")
    said = total or answer.getheader("Content-Length") or ""
    return int(said) if said.isdecimal() else None


def _read(answer: http.client.HTTPResponse, most: int, until: float) -> int:
    read = 0
    while read < most and monotonic() < until and (data := answer.read(min(_CHUNK, most - read))):
        read += len(data)
    return read


def _trouble(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "silent" if isinstance(error, TimeoutError) else "other"
