"""The console's certificate: which it is, another one, and back to our own."""

from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError
from appliance.web.certificate import CERTIFICATE
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

PAGE = "/settings/certificate"


async def show(request: web.Request) -> web.Response:
    """GET /settings/certificate"""
    return _page(request, {})


def _page(request: web.Request, sent: dict[str, str], error: ApplianceError | None = None) -> web.Response:
    """``sent`` is what was pasted, so that nothing is lost; the key is not sent back."""
    tls = request.app[CERTIFICATE].tls
    return render(
        request,
        "certificate.html",
        status=status_of(error) if error else 200,
        tls=tls,
        chain=tls.chain,
        authority=request.app[SERVICES].fingerprint,
        error=error,
        sent=sent,
        doubtful=error is not None and error.code == "certificate-doubtful",
        tab="certificate",
    )


async def put(request: web.Request) -> web.Response:
    """POST /settings/certificate with ``certificate_pem``, ``key_pem`` as texts or files, and ``confirm``."""
    sent = await fields(request)
    chain, key = _pem(sent, "certificate_pem"), _pem(sent, "key_pem")
    confirmed, host = text(sent, "confirm") == "yes", request.url.host or ""
    try:
        await request.app[CERTIFICATE].put(chain, key, host, who(request), confirmed=confirmed)
    except ApplianceError as error:
        return _page(request, {"certificate_pem": chain}, error)
    return see_other(PAGE)


def _pem(sent: Any, name: str) -> str:
    """What was pasted, or else the file that was chosen."""
    pasted, chosen = text(sent, name), sent.get(f"{name}_file")
    if pasted.strip() or not isinstance(chosen, web.FileField):
        return pasted
    return chosen.file.read(1 << 17).decode(errors="replace")


async def ask_reset(request: web.Request) -> web.Response:
    """GET /settings/certificate/reset"""
    return confirm_page(
        request,
        title="Go back to the appliance's own certificate",
        texts=(
            "The certificate that was uploaded is removed, with its key. Keep a copy if you want to use it again.",
            "Browsers that do not trust the appliance's authority will warn.",
        ),
        button="Use the appliance's own certificate",
        back=PAGE,
        danger=False,
    )


async def reset(request: web.Request) -> web.Response:
    """POST /settings/certificate/reset"""
    await request.app[CERTIFICATE].reset(who(request))
    return see_other(PAGE)
