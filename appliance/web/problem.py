"""Errors as answers to people and programs, with their HTTP status codes (RFC 9457); for machines: netboot.answers."""

import http

import msgspec
from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Denied, Invalid, NotFound
from appliance.power_switch import PowerError
from appliance.web.loginlimits import TooOften

_STATUS: tuple[tuple[type[ApplianceError], int], ...] = (
    (Invalid, 422),
    (NotFound, 404),
    (Conflict, 409),
    (Denied, 403),
    (TooOften, 429),
    (PowerError, 502),  # somebody else's computer did not do what we asked of it
)
_STATUS_OF_CODE = {
    "login-wrong": 401,
    "login-needed": 401,
    "host-unknown": 421,
    "query-unknown": 400,
    "cursor-invalid": 400,
    "not-acceptable": 406,
    "changed-meanwhile": 412,
    "body-type": 415,
    "upload-failed": 507,
    "restore-no-room": 507,
    "body-too-large": 413,
    "live-too-many": 429,
    "consoles-too-many": 429,
    "login-busy": 503,
    "helper-missing": 409,
    "helper-down": 503,
    "helper-gone": 503,
    "helper-silent": 503,
    "host-unreachable": 503,
    "host-refused": 502,
    "libvirt-missing": 503,
    "vm-failed": 502,
    "screenshot-large": 422,
    "screenshot-unreadable": 502,
    "storage-failed": 503,
    "store-failed": 503,
    "store-stuck": 503,
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is an error."""

    code: str
    """Stable, for programs."""
    title: str
    """What kind of error this is."""
    detail: str
    """What happened, in words."""
    hint: str = ""
    """What to do next."""
    field: str = ""
    """The input that was wrong, if one was."""
    status: int = 500


def status_of(error: ApplianceError) -> int:
    """The HTTP status that tells this error."""
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem_json(error: ApplianceError, status: int) -> web.Response:
    """The error for programs."""
    problem = Problem(
        code=error.code,
        title=http.HTTPStatus(status).phrase,
        detail=error.message,
        hint=error.hint,
        field=error.field,
        status=status,
    )
    body = msgspec.json.encode(problem)
    return web.Response(body=body, status=status, content_type="application/problem+json")


def from_http(error: web.HTTPException) -> ApplianceError:
    """An error that the HTTP library raised, in our words."""
    match error.status:
        case 404:
            return NotFound("path-unknown", "there is nothing at this address")
        case 405:
            return ApplianceError("method-unknown", "this address does not take this method")
        case 413:
            return ApplianceError("body-too-large", "the request is larger than any such request needs to be")
        case status:
            return ApplianceError(f"http-{status}", error.reason)
