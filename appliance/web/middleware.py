"""What every request goes through: errors to answers, who asks, where from, and whether they may."""

import logging
import secrets
from urllib.parse import quote, urlsplit

from aiohttp import web

from appliance.accounts import require
from appliance.errors import ApplianceError, Denied
from appliance.reconcile.precondition import required
from appliance.web.auth import ACCOUNTS, COOKIE, PROOF, Proof, authenticate, give_cookie, token_of
from appliance.web.console.page import problem_page
from appliance.web.doors import EVERYBODY, Handler, role_for
from appliance.web.keys import SERVICES, USER
from appliance.web.loginlimits import TooOften
from appliance.web.origin import SAFE_METHODS, check_host, check_known, check_origin
from appliance.web.problem import from_http, problem_json, status_of

log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Security headers for every answer; what is not marked as lasting is not kept by anybody."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.pop("Server", None)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised into an answer: a problem document for programs, a page for people."""
    try:
        return await handler(request)
    except ApplianceError as error:
        return _answer(request, error, status_of(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        answer = _answer(request, from_http(error), error.status)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except ConnectionError:
        raise  # the client is gone: there is nobody to answer
    except Exception:
        reference = secrets.token_hex(4)
        log.exception("%s %s failed (reference %s)", request.method, request.rel_url.raw_path, reference)
        hint = f"this is a defect; the appliance's log tells more at {reference}"
        return _answer(request, ApplianceError("internal", "something went wrong inside the appliance", hint), 500)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let through who may come in, and set ``request[USER]``."""
    _check_host(request)
    least = role_for(request)
    # Only where the answer is ours to add a cookie to, and nothing is streamed for minutes before it arrives.
    replace = least is not EVERYBODY and request.method == "GET" and not _is_websocket(request)
    proof = await authenticate(request, replace=replace)
    if proof is None and least is not EVERYBODY:
        return await _refuse(request)
    if request.method not in SAFE_METHODS or _is_websocket(request):
        by_cookie = least is not EVERYBODY and token_of(request)[1]
        check_origin(request.headers, by_cookie=by_cookie, secure=request.secure)
    if proof is None:
        return await handler(request)
    request[PROOF], request[USER] = proof, proof.asker
    if least is not EVERYBODY:
        require(proof.asker, least)
    response = await _answered(request, handler, proof)
    if proof.next_token and not response.prepared and COOKIE not in response.cookies:
        give_cookie(response, proof.next_token)
    return response


async def _answered(request: web.Request, handler: Handler, proof: Proof) -> web.StreamResponse:
    """The handler's answer; what it changes is checked against what may be done at that moment, not at the begin."""
    if request.method in SAFE_METHODS or role_for(request) is EVERYBODY:
        return await handler(request)
    with required(lambda db: request.app[ACCOUNTS].still_may(db, proof)):
        return await handler(request)


def _check_host(request: web.Request) -> None:
    check_host(request.headers)
    services = request.app[SERVICES]
    local = request.transport.get_extra_info("sockname") if request.transport is not None else None
    certified = services.tls.names if services.tls is not None else ()
    check_known(request.headers, str(local[0]) if local else "", (*services.hosts, *certified))


def _is_websocket(request: web.Request) -> bool:
    # Other sites may open a WebSocket with the browser's cookie (RFC 6455 section 10.2).
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _for_programs(request: web.Request) -> bool:
    path = request.rel_url.raw_path
    return path.startswith(("/api/", "/live")) or "text/html" not in request.headers.get("Accept", "")


def _answer(request: web.Request, error: ApplianceError, status: int) -> web.Response:
    page = not _for_programs(request)
    answer = problem_page(request, error, status) if page else problem_json(error, status)
    if isinstance(error, TooOften):
        answer.headers["Retry-After"] = str(error.wait)
    return answer


async def _refuse(request: web.Request) -> web.StreamResponse:
    """Nobody we know: programs get 401, people the page where they can change that."""
    if _for_programs(request) and "HX-Request" not in request.headers:
        error = Denied("login-needed", _why(request), "log in; programs send Authorization: Bearer")
        answer = problem_json(error, 401)
        answer.headers["WWW-Authenticate"] = 'Bearer realm="appliance"'
        return answer
    target = _entrance(request) if await request.app[ACCOUNTS].set_up() else "/setup"
    if "HX-Request" in request.headers:  # a part of a page cannot be redirected, the page around it can
        return web.Response(status=401, headers={"HX-Redirect": target})
    return web.Response(status=303, headers={"Location": target})


def _why(request: web.Request) -> str:
    carried = "Authorization" in request.headers or COOKIE in request.cookies
    return "this log-in has ended" if carried else "nobody is logged in"


def _entrance(request: web.Request) -> str:
    """The log-in page, told where to go on afterwards."""
    if "HX-Request" in request.headers:
        parts = urlsplit(request.headers.get("HX-Current-URL", ""))
        wanted = parts.path + (f"?{parts.query}" if parts.query else "")
    else:
        wanted = request.rel_url.raw_path_qs if request.method in SAFE_METHODS else "/"
    return "/login" if wanted in ("", "/") else f"/login?next={quote(wanted, safe='')}"
