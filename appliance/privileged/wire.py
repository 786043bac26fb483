"""The lines between daemon and privileged helper: JSON, read with bounds on both sides. Pure.

Request: ``{"verb": "power.reboot", "args": {...}}``. Answer: any number of ``{"progress": 0.4, "message": "..."}``, and
at last ``{"result": ...}`` or ``{"error": {"code", "message", "hint", "field", "kind"}}``.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError, Conflict, Denied, Invalid, NotFound
from appliance.privileged.verb import Line, Request, Said, Verb, result_type

LARGEST_REQUEST = 64 * 1024
"""Bytes of a request, its newline included."""
LARGEST_LINE = 4 * 1024 * 1024
"""Bytes of one line of an answer."""
R = TypeVar("R")
_KINDS: dict[str, type[ApplianceError]] = {
    "": ApplianceError,
    "invalid": Invalid,
    "not-found": NotFound,
    "conflict": Conflict,
    "denied": Denied,
}


def request_line(verb: Verb[Any]) -> bytes:
    """The request for a verb; raises Invalid ``request-too-large``."""
    line = msgspec.json.encode({"verb": verb.name, "args": verb}) + b"\n"
    if len(line) > LARGEST_REQUEST:
        raise _too_large()
    return line


def read_request(line: bytes, verbs: Mapping[str, type[Verb[Any]]]) -> Verb[Any]:
    """The verb that a line asks for; raises Invalid: ``request-too-large``, ``request-broken``, ``verb-unknown``."""
    if len(line) > LARGEST_REQUEST:
        raise _too_large()
    try:
        request = decoded(line, Request)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("request-broken", f"the request is not what the privileged helper reads: {error}") from error
    kind = verbs.get(request.verb)
    if kind is None:
        text = f"{request.verb[:80]!r} is no verb of the privileged helper"
        raise Invalid("verb-unknown", text, "daemon and helper are of different versions: restart the appliance")
    try:
        return cast("Verb[Any]", decoded(request.args, kind))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("request-broken", f"{request.verb}: {error}", field=_field(str(error))) from error


def _field(words: str) -> str:
    """What msgspec says was wrong, as in ``... - at `$.unit```; empty where it names nothing."""
    _, at, place = words.rpartition("`$.")
    return place.rstrip("`") if at else ""


def _too_large() -> Invalid:
    return Invalid("request-too-large", f"a request to the privileged helper has at most {LARGEST_REQUEST} bytes")


def progress_line(progress: float | None, message: str) -> bytes:
    """One line of an answer that goes on."""
    return msgspec.json.encode(Line(progress, message)) + b"\n"


def result_line(result: object) -> bytes:
    """The end of an answer."""
    return msgspec.json.encode({"result": result}) + b"\n"


def error_line(error: ApplianceError) -> bytes:
    """The end of an answer that is an error; one that has no name on the wire travels as an ApplianceError."""
    kind = next((name for name, each in _KINDS.items() if type(error) is each), "")
    said = Said(error.code, error.message, error.hint, error.field, kind)
    return msgspec.json.encode({"error": said}) + b"\n"


def read_line(line: bytes) -> Line:
    """A line of an answer; raises ApplianceError: what it says, or ``helper-broken``."""
    try:
        found = decoded(line, Line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _broken(str(error)) from error
    if isinstance(found.error, Said):
        said = found.error
        raise _KINDS.get(said.kind, ApplianceError)(said.code, said.message, said.hint, said.field)
    return found


def read_result(line: Line, verb: Verb[R]) -> R:
    """The result in the last line of an answer; raises ApplianceError ``helper-broken``."""
    assert isinstance(line.result, msgspec.Raw)
    try:
        return cast("R", decoded(line.result, result_type(type(verb))))
    except (msgspec.DecodeError, RecursionError) as error:
        raise _broken(str(error)) from error


def _broken(words: str) -> ApplianceError:
    text = f"the answer of the privileged helper cannot be read: {words}"
    return ApplianceError("helper-broken", text, "daemon and helper are of different versions: restart the appliance")
