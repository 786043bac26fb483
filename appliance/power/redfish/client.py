"""HTTPS with one Redfish controller: its certificate held to, its answers bounded, its refusals in our words."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from appliance.power.certificate import presented
from appliance.power.redfish.document import ROOT, Document, complaint, own_path, path_of, section, senseless
from appliance.power.words import shown
from appliance.power_switch import PowerError, PowerSettings, port_of

LARGEST = 4 * 1024 * 1024
"""Bytes of one answer."""
LIMITS = aiohttp.ClientTimeout(total=20.0, sock_connect=8.0)
MOST_REDIRECTS = 3
_NO_CERTIFICATE = "accept the new one if you know why it changed, as after an update of the controller"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    document: Document

    @property
    def etag(self) -> str:
        """The version of the document: in the header, or in itself as some controllers do it (DSP0266, 6.5)."""
        said = self.headers.get("ETag") or self.document.get("@odata.etag")
        return said if isinstance(said, str) and said.isprintable() else ""


@dataclass(slots=True)
class Client:
    """A conversation with one controller. To be had from ``talking``."""

    settings: PowerSettings
    secret: str = field(repr=False)
    http: aiohttp.ClientSession = field(repr=False)
    token: str = field(default="", repr=False)
    """Of the session, where the controller wants one."""
    session: str = ""
    """Its path, so that it can be ended: controllers have few."""

    async def get(self, path: str) -> Answer:
        """A document; raises PowerError where there is none."""
        return self.good(await self.ask("GET", path))

    async def ask(self, method: str, path: str, body: Document | None = None, **headers: str) -> Answer:
        """Whatever the controller says to it, but for refusals of who we are; raises PowerError."""
        answer = await self._ask(method, path, body, headers)
        if answer.status == 401 and not self.token and _wants_session(answer):
            await self._log_in()
            answer = await self._ask(method, path, body, headers)
        if answer.status in (401, 403):
            raise self._refused()
        return answer

    def good(self, answer: Answer) -> Answer:
        """The answer; raises PowerError for one that says no."""
        if answer.status < 300:
            return answer
        words = self._shown(complaint(answer.document)) or f"HTTP status {answer.status}"
        text = f"the controller {self.settings.address} refused: {words}"
        if answer.status in (429, 503):
            raise PowerError("power-unreachable", text, "it is busy: try again in a minute")
        raise PowerError("power-failed", text, "look at the controller's own log")

    async def log_out(self) -> None:
        """Ends the session, if there is one; one that cannot be ended runs out by itself."""
        if self.session:
            try:
                await self._send("DELETE", self.session, None, {})
            except PowerError:
                self.session = ""

    async def _log_in(self) -> None:
        """DSP0266, section 13.3.4; for controllers on which Basic authentication is switched off."""
        root = await self._ask("GET", ROOT, None, {})
        sessions = section(section(root.document, "Links"), "Sessions").get("@odata.id")
        path = path_of(sessions) if sessions else f"{ROOT}SessionService/Sessions"
        body = {"UserName": self.settings.user, "Password": self.secret}
        answer = await self._ask("POST", path, body, {})
        if answer.status in (400, 401, 403):
            raise self._refused()
        self.good(answer)
        self.token = answer.headers.get("X-Auth-Token", "")
        if not self.token:
            raise senseless("a session without a token")
        self.session = own_path(answer.headers.get("Location", ""))

    async def _ask(self, method: str, path: str, body: Document | None, headers: Mapping[str, str]) -> Answer:
        """Follows redirects of GET on the same controller: some want a slash at the end, others want none."""
        for _ in range(MOST_REDIRECTS):
            answer = await self._send(method, path, body, headers)
            if method != "GET" or answer.status not in (301, 302, 307, 308):
                return answer
            path = own_path(answer.headers.get("Location", ""))
        raise senseless("redirects without end")

    async def _send(self, method: str, path: str, body: Document | None, headers: Mapping[str, str]) -> Answer:
        try:
            async with self.http.request(
                method, self._url(path), json=body, headers={**self._proof(), **headers}, allow_redirects=False
            ) as response:
                return Answer(response.status, response.headers, _parsed(await _read(response)))
        except aiohttp.ServerFingerprintMismatch as error:
            found = error.got.hex()
            text = f"the controller {self.settings.address} shows another certificate: {found}"
            raise PowerError("power-certificate", text, _NO_CERTIFICATE, "fingerprint") from None
        except aiohttp.ClientConnectorCertificateError:
            raise await untrusted(self.settings) from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            words = self._shown(str(error)) or "no answer in time"
            text = f"the controller {self.settings.address} does not answer to Redfish: {words}"
            raise PowerError("power-unreachable", text, "look at its address and port") from None

    def _proof(self) -> dict[str, str]:
        return {"X-Auth-Token": self.token} if self.token else {"Authorization": f"Basic {self._basic()}"}

    def _basic(self) -> str:
        """RFC 7617, in UTF-8."""
        return base64.b64encode(f"{self.settings.user}:{self.secret}".encode()).decode()

    def _shown(self, words: str) -> str:
        """Other people's words, without anything secret that we sent, in whatever form: some repeat all they got."""
        return shown(words, self._basic(), self.token, self.secret, json.dumps(self.secret)[1:-1])

    def _url(self, path: str) -> URL:
        host = f"[{self.settings.address}]" if ":" in self.settings.address else self.settings.address
        return URL(f"https://{host}:{port_of(self.settings)}{path}", encoded=True)

    def _refused(self) -> PowerError:
        text = f"the controller {self.settings.address} does not accept this user and password, or not for this"
        return PowerError("power-refused", text, "look at both, and at the user's rights on the controller")


@asynccontextmanager
async def talking(settings: PowerSettings, secret: str) -> AsyncIterator[Client]:
    """A conversation, ended with its session. Raises PowerError."""
    pin = aiohttp.Fingerprint(bytes.fromhex(settings.fingerprint)) if settings.fingerprint else True
    connector = aiohttp.TCPConnector(ssl=pin, limit=1)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, timeout=LIMITS, cookie_jar=jar, headers=_HEADERS) as http:
        client = Client(settings, secret, http)
        try:
            yield client
        finally:
            await client.log_out()


async def untrusted(settings: PowerSettings) -> PowerError:
    """The error for a certificate that nobody vouches for, with the fingerprint that a person can compare."""
    found = await presented(settings)
    text = f"nobody we know vouches for the certificate of the controller {settings.address}: {found}"
    hint = "compare this fingerprint with the controller's own, and accept it"
    return PowerError("power-certificate", text, hint, "fingerprint")


_HEADERS = {"Accept": "application/json", "OData-Version": "4.0", "User-Agent": "appliance"}


def _wants_session(answer: Answer) -> bool:
    """Only where Basic authentication is not offered: a wrong password tried twice locks accounts in half the time."""
    return "basic" not in answer.headers.get("WWW-Authenticate", "").lower()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for piece in response.content.iter_any():
        found += piece
        if len(found) > LARGEST:
            raise senseless("an answer without end")
    return bytes(found)


def _parsed(raw: bytes) -> Document:
    """An object; empty for an empty answer, for HTML, for anything else that is no object."""
    try:
        found: Any = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
