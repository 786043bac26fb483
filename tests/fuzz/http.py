"""Boot HTTP: requests as bytes through the parser that the daemon uses, then whatever of ours reads them."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import HttpProcessingError

from appliance.errors import ApplianceError
from appliance.netboot.answers import bearer
from appliance.netboot.http import boot_request, inside
from appliance.netboot.sending import _wanted
from tests.captures.book import sent_by_clients
from tests.fuzz.mutation import Chance

SIZE = 5000
MADE = (
    b"GET /files/../../etc/passwd HTTP/1.1\r\nHost: a\r\nRange: bytes=0-99\r\n\r\n",
    b"HEAD /boot//snponly.efi HTTP/1.0\r\nRange: bytes=-500\r\n\r\n",
    b'GET /files/a%00b/%2e%2e/link HTTP/1.1\r\nHost: a\r\nRange: bytes=4999-\r\nIf-Range: "x"\r\n\r\n',
    b"GET /boot/script?mac=52-54-00-00-00-01&uuid=00000000-0000-0000-0000-000000000000&serial=%ff%00&platform=efi"
    b"&product=To%20be%20filled&manufacturer=<b> HTTP/1.1\r\nAuthorization: Bearer abc\r\n\r\n",
)


@dataclass
class HttpFuzz:
    """Everything of ours between a request's bytes and the fleet."""

    real: list[bytes] = field(default_factory=lambda: [*MADE, *sent_by_clients("http")])

    def __post_init__(self) -> None:
        self._loop, self._protocol = asyncio.new_event_loop(), Mock()
        self._directory = tempfile.TemporaryDirectory()
        self._root = Path(self._directory.name) / "root"
        self._root.mkdir()
        (self._root / "snponly.efi").write_bytes(bytes(SIZE))
        (self._root / "link").symlink_to("/etc/passwd")
        (Path(self._directory.name) / "root-of-another").write_text("secret")

    def feed(self, data: bytes, chance: Chance) -> None:
        """One request arrives whole."""
        parser = HttpRequestParser(self._protocol, self._loop, 1 << 16)
        try:
            messages, _, _ = parser.feed_data(data)
        except HttpProcessingError:
            return
        for message, _ in messages:
            self._answer(message)

    def _answer(self, message: Any) -> None:
        asked: Any = SimpleNamespace(method=message.method, headers=message.headers)
        if (wanted := _wanted(asked, SIZE)) is not None:
            assert 0 <= wanted[0] <= SIZE, "within the file, or past it by nothing"
            assert wanted[1] <= SIZE
        bearer(message.headers.get("Authorization", ""))
        self._file(message.url.path)
        try:
            boot_request(dict(message.url.query), "10.77.0.50", "10.77.0.1", lambda *_: False)
        except ApplianceError:
            return

    def _file(self, path: str) -> None:
        try:
            found = inside(self._root, path.removeprefix("/files").removeprefix("/boot"))
        except ApplianceError:
            return
        assert found.is_relative_to(self._root)
        assert found.name == "snponly.efi"
