"""What programs send, checked at the border: JSON bodies and query parameters."""

import re
from typing import TypeVar

import msgspec
from aiohttp import web

from appliance.decoding import decoded
from appliance.errors import Invalid

T = TypeVar("T")

LARGEST_NUMBER = 2**53 - 1
"""The largest whole number that JSON carries between all programs (RFC 8259 section 6)."""

_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_NAMED = re.compile(r"(?:unknown|required) field `(?P<name>[^`]*)`")


async def body(request: web.Request, kind: type[T]) -> T:
    """The request's JSON body as a value; raises Invalid naming the field that is wrong.

    An empty body stands for an object without fields.
    """
    content = await request.read()
    if content and request.content_type != "application/json":
        # Forms of other sites cannot send this type without being asked for permission first.
        raise Invalid("body-type", "the body is not JSON", "send Content-Type: application/json")
    try:
        return decoded(content or b"{}", kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Invalid("body-invalid", f"the body is not JSON: {str(error)[:200]}", "send one JSON object") from error


def _invalid(text: str) -> Invalid:
    """msgspec says "Expected `int`, got `str` - at `$.requirements.cpus`"."""
    place, named = _PLACE.search(text), _NAMED.search(text)
    path = place["path"] if place else ""
    if named:
        path = f"{path}.{named['name']}".strip(".")
    message = _PLACE.sub("", text)[:200]
    hint = "GET /api/v1/openapi.json lists the fields"
    return Invalid("body-field", f"{path[:80]}: {message}" if path else message, hint, path[:80])


def number(request: web.Request, name: str, least: int = 0, most: int = LARGEST_NUMBER) -> int | None:
    """A whole number of the query, or None when it is not there; raises Invalid."""
    text = request.query.get(name)
    if text is None or text == "":
        return None
    if not re.fullmatch(r"[0-9]{1,16}", text) or not least <= int(text) <= most:
        raise Invalid("query-number", f"{name}={text[:40]!r} does not do", f"use {least} to {most}", name)
    return int(text)


def text(request: web.Request, name: str, default: str | None = None) -> str:
    """A text of the query; raises Invalid when it has to be there and is not."""
    value = request.query.get(name, default)
    if value is None:
        raise Invalid("query-missing", f"the address lacks {name}=", f"add ?{name}=...", name)
    return storable(value, name)


def key(request: web.Request) -> str:
    """The id or name in the request's path."""
    return storable(request.match_info["key"], "")


def storable(value: str, field: str) -> str:
    """Text that is text: a path may decode to what is no Unicode, which no database takes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid("text-invalid", "this is not Unicode text", "send UTF-8", field) from None
    return value


def answer(value: object, status: int = 200) -> web.Response:
    """A value as JSON."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
