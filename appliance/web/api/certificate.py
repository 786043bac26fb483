"""The console's certificate for programs."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.chains import LARGEST
from appliance.console_tls import ConsoleTls
from appliance.web.api.body import answer, body
from appliance.web.certificate import CERTIFICATE
from appliance.web.keys import SERVICES, USER

Pem = Annotated[str, msgspec.Meta(max_length=LARGEST)]


class CertificateIn(msgspec.Struct, forbid_unknown_fields=True):
    """A certificate to use for the console."""

    certificate_pem: Pem
    """PEM: the server's certificate, then the one that signed it, and so on."""
    key_pem: Pem = ""
    """PEM, not encrypted; may stand in ``certificate_pem`` too."""
    confirm: bool = False
    """Use it in spite of what there is to say against it."""


class CertificateOut(msgspec.Struct):
    """What the console shows to browsers."""

    own: bool
    """Whether it is the appliance's own."""
    names: list[str]
    issuer: str
    """Who signed it; empty: the appliance's own authority."""
    key: str
    fingerprint: str
    """SHA-256 of the certificate; empty for our own, which changes, unlike that of its authority."""
    authority: str
    """SHA-256 of the appliance's own authority."""
    begins: float | None
    ends: float | None
    """Unix times; null for our own, which is renewed by itself."""
    notice: str
    """What everybody should know; empty: nothing."""


def _out(tls: ConsoleTls, authority: str) -> CertificateOut:
    chain = tls.chain
    return CertificateOut(
        own=chain is None,
        names=list(chain.names if chain else tls.own_names),
        issuer=chain.issuer if chain else "",
        key=chain.key_words if chain else "",
        fingerprint=chain.fingerprint if chain else "",
        authority=authority,
        begins=chain.begins if chain else None,
        ends=chain.ends if chain else None,
        notice=tls.notice(),
    )


async def show(request: web.Request) -> web.Response:
    """The certificate in use."""
    return answer(_out(request.app[CERTIFICATE].tls, request.app[SERVICES].fingerprint))


async def put(request: web.Request) -> web.Response:
    """Use another certificate, for all connections from now on."""
    sent, host = await body(request, CertificateIn), request.url.host or ""
    certificate = request.app[CERTIFICATE]
    await certificate.put(sent.certificate_pem, sent.key_pem, host, request[USER], confirmed=sent.confirm)
    return answer(_out(certificate.tls, request.app[SERVICES].fingerprint))


async def reset(request: web.Request) -> web.Response:
    """Go back to the appliance's own certificate."""
    await request.app[CERTIFICATE].reset(request[USER])
    return web.Response(status=204)
