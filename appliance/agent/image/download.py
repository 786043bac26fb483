"""The stored bytes of an image by HTTP, resumed after a broken connection, checked at their end."""

import hashlib
import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import StepFailed
from ..pauses import growing

PATIENCE = 300.0
"""Seconds without a byte over all connections, before the step fails: a restart of the whole appliance fits in."""
PAUSE_LIMIT = 10.0
"""Seconds between two tries at most: who comes back late in our patience must still be found in time."""
CHUNK = 256 << 10
CONNECT_TIMEOUT = 10.0
"""Seconds; short, because nobody answers for an appliance that is switched off."""
TIMEOUT = 60.0
"""Seconds without a byte on one connection."""


@dataclass(frozen=True)
class Source:
    """Where an image comes from and what must arrive: `size` bytes with this SHA-256 (hex)."""

    url: str
    token: str
    size: int
    sha256: str


class _Broken(Exception):
    """This connection is over; another one may do better."""


def download(
    source: Source, wait: Callable[[float, str], None], clock: Callable[[], float] = time.monotonic
) -> Iterator[bytes]:
    """The bytes of `source` in order. The last one is followed by the check of the whole.

    `wait` lets the seconds before the next try pass, and is told why there has to be one.
    Raises StepFailed `download-failed`, `download-refused`, `download-truncated` or `checksum-differs`.
    """
    digest = hashlib.sha256()
    got = 0
    lately, pauses = clock(), growing(limit=PAUSE_LIMIT)
    while got < source.size:
        try:
            for chunk in _connection(source, got):
                digest.update(chunk)
                got += len(chunk)
                yield chunk
                lately, pauses = clock(), growing(limit=PAUSE_LIMIT)
        except (OSError, http.client.HTTPException, _Broken) as error:
            left = lately + PATIENCE - clock()
            if left <= 0:
                raise _given_up(source, got, error) from error
            wait(min(next(pauses), left), str(error) or type(error).__name__)
    if digest.hexdigest() != source.sha256.lower():
        raise StepFailed(
            "checksum-differs",
            f"the image that arrived has SHA-256 {digest.hexdigest()}, it should have {source.sha256}",
        )


def _given_up(source: Source, got: int, error: Exception) -> StepFailed:
    where = f"after {got} of {source.size} bytes, and nothing for {PATIENCE:g} s"
    return StepFailed("download-failed", f"{source.url} {where}: {error or type(error).__name__}")


def _connection(source: Source, offset: int) -> Iterator[bytes]:
    parts = urlsplit(source.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=CONNECT_TIMEOUT)
    try:
        connection.connect()
        connection.sock.settimeout(TIMEOUT)
        headers = {"Authorization": f"Bearer {source.token}"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        _judge(source, answer.status, total_size(answer.status, answer.headers))
        yield from _body(answer, source.size - offset, skip=offset if answer.status == 200 else 0)
    finally:
        connection.close()


def _judge(source: Source, status: int, total: int | None) -> None:
    if status == 416:
        total = total or 0
    elif 400 <= status < 500 and status not in (408, 429):
        raise StepFailed("download-refused", f"{source.url}: the appliance refused with status {status}")
    elif status not in (200, 206):
        raise _Broken(f"status {status}")
    if total is not None and total != source.size:
        code = "download-truncated" if total < source.size else "checksum-differs"
        raise StepFailed(code, f"{source.url} has {total} bytes, the image should have {source.size}")


def total_size(status: int, headers: http.client.HTTPMessage) -> int | None:
    """Size of the whole content from an answer's headers (RFC 9110, 14.4); None when it does not say."""
    text = headers.get("Content-Range", "") if status in (206, 416) else headers.get("Content-Length", "")
    digits = text.rpartition("/")[2].strip()
    return int(digits) if digits.isdigit() else None


def _body(answer: http.client.HTTPResponse, wanted: int, skip: int) -> Iterator[bytes]:
    """`wanted` bytes after the first `skip`, which a server that knows no ranges sends again."""
    while wanted > 0:
        chunk = answer.read1(CHUNK)
        if not chunk:
            raise _Broken("the connection ended early")
        chunk, skip = chunk[skip:], max(0, skip - len(chunk))
        chunk = chunk[:wanted]
        wanted -= len(chunk)
        if chunk:
            yield chunk
