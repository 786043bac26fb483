"""The OpenAPI 3.1 document, made from the same types that bodies are checked with."""

import http
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from appliance import __version__
from appliance.web.api.endpoint import Endpoint, Form
from appliance.web.api.field_docs import field_docs
from appliance.web.api.query import Param
from appliance.web.auth import COOKIE
from appliance.web.problem import Problem

_SCHEMAS = "#/components/schemas/{name}"
_TEXT = {"type": "string"}
_SECURE: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]


def document(base: str, endpoints: Sequence[Endpoint]) -> bytes:
    """The document as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Appliance", "version": __version__, "description": _ABOUT},
            "servers": [{"url": base}],
            "security": _SECURE,
            "tags": [{"name": tag} for tag in dict.fromkeys(map(_tag, endpoints))],
            "paths": paths,
            "components": {
                "schemas": _components(endpoints),
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                },
            },
        }
    )


_ABOUT = (
    "Times are Unix time in seconds, sizes are bytes. A key in a path is an id or a name. Lists come in pages:"
    " `next` of one is the `cursor` of the one behind it. Errors are problem documents (RFC 9457) with a stable code."
    " Parameters and fields that are not known are refused."
)


def _components(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The schemas of all types, their fields with what is written below them in the source."""
    types = [kind for each in endpoints for kind in (each.gives, each.takes) if _is_type(kind)]
    types += [param.kind for each in endpoints for param in each.query]
    _, components = msgspec.json.schema_components([*types, Problem], ref_template=_SCHEMAS)
    sources = {each.handler.__module__ for each in endpoints} | {getattr(kind, "__module__", "") for kind in types}
    sources |= {name for name in sys.modules if name.startswith("appliance.web.api.")} | {Problem.__module__}
    docs = field_docs(sys.modules[name] for name in sorted(sources) if name.startswith("appliance."))
    for name, schema in components.items():
        for field, text in docs.get(name, {}).items():
            if field in schema.get("properties", {}):
                schema["properties"][field] = _described(schema["properties"][field], text)
    return components


def _described(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {**schema, "description": text.replace("``", "`")}


def _is_type(kind: Any) -> bool:
    return kind is not None and kind is not bytes and not isinstance(kind, Form)


def _tag(of: Endpoint) -> str:
    """The noun: the first word of the path."""
    return of.path.split("/")[1]


def _operation(of: Endpoint) -> dict[str, Any]:
    doc = (inspect.getdoc(of.handler) or "").replace("``", "`")
    role = of.least
    said: dict[str, Any] = {
        "tags": [_tag(of)],
        "summary": doc.partition("\n")[0],
        "operationId": f"{of.handler.__module__.rpartition('.')[2]}.{of.handler.__name__}",
        "parameters": [*_path_parameters(of.path), *map(_query, of.query), *_header_parameters(of)],
        "responses": {str(each): _response(of, each) for each in _successes(of)} | _others(of),
        "x-role": role.value if role else "everybody",
    }
    if rest := doc.partition("\n")[2].strip():
        said["description"] = rest
    if of.takes is not None:
        said["requestBody"] = {"required": _needs_body(of.takes), "content": _content(of.takes)}
    if of.public:
        said["security"] = []
    return said


def _path_parameters(path: str) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)", path):
        says = "id or name" if name == "key" else name
        yield {"name": name, "in": "path", "required": True, "description": says, "schema": _TEXT}


def _query(of: Param) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([of.kind], ref_template=_SCHEMAS)
    return {"name": of.name, "in": "query", "required": of.needed, "description": of.says, "schema": schema}


def _header_parameters(of: Endpoint) -> Iterable[dict[str, Any]]:
    if of.version and of.method != "GET":
        yield _header("If-Match", "the ETag of what you saw; anything else by now is refused with 412")
    if of.keyed:
        yield _header("Idempotency-Key", "made up by you: the same request under the same key is done once in 24 hours")


def _header(name: str, says: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": says, "schema": _TEXT}


def _successes(of: Endpoint) -> tuple[int, ...]:
    return (of.status, 202) if of.or_task else (of.status,)


def _response(of: Endpoint, status: int) -> dict[str, Any]:
    said: dict[str, Any] = {"description": http.HTTPStatus(status).phrase}
    if of.gives is not None:
        said["content"] = _content(of.gives)
    names = {"ETag": of.method == "GET" or (of.version is not None and status == 200), "Location": status == 202}
    headers = {name: {"schema": _TEXT} for name, there in names.items() if there}
    return said | ({"headers": headers} if headers else {})


def _content(kind: Any) -> dict[str, Any]:
    if kind is bytes:
        return {"application/octet-stream": {}, "application/zstd": {}}
    if isinstance(kind, Form):
        return {"multipart/form-data": {"schema": _form(kind)}}
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_SCHEMAS)
    return {"application/json": {"schema": schema}}


def _form(of: Form) -> dict[str, Any]:
    files = {name: {"type": "string", "contentMediaType": "application/octet-stream"} for name, _ in of.files}
    return {"type": "object", "properties": files, "required": [name for name, needed in of.files if needed]}


def _needs_body(kind: Any) -> bool:
    """JSON without a field that has to be there may be left out altogether."""
    if not _is_type(kind):
        return True
    (_,), components = msgspec.json.schema_components([kind], ref_template=_SCHEMAS)
    return bool(components.get(kind.__name__, {}).get("required"))


def _others(of: Endpoint) -> dict[str, Any]:
    """Every other status that it can have."""
    changes = of.method != "GET"
    can = {
        304: of.method == "GET",
        400: True,
        401: True,
        403: True,
        404: True,
        406: True,
        409: changes or of.path.endswith("/consequences"),
        412: changes and of.version is not None,
        413: of.takes is not None,
        415: of.takes is not None,
        421: True,
        422: True,
        429: changes and (of.public or "password" in of.path),
        500: True,
        502: of.path.endswith("/power/certificate"),
        503: True,
        507: not _is_type(of.takes) and of.takes is not None,
    }
    return {str(status): _answer(status) for status, possible in can.items() if possible}


def _answer(status: int) -> dict[str, Any]:
    if status == 304:
        return {"description": "you have it already", "headers": {"ETag": {"schema": _TEXT}}}
    (schema,), _ = msgspec.json.schema_components([Problem], ref_template=_SCHEMAS)
    return {
        "description": http.HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": schema}},
    }
