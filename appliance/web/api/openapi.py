"""The OpenAPI 3.1 document, made from the same types that bodies are checked with."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from appliance import __version__
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.query import Param
from appliance.web.problem import Problem

_SCHEMAS = "#/components/schemas/{name}"


def document(base: str, endpoints: Sequence[Endpoint]) -> bytes:
    """The document as JSON."""
    types = [kind for each in endpoints for kind in (each.gives, each.takes) if kind not in (None, bytes)]
    types += [param.kind for each in endpoints for param in each.query]
    _, components = msgspec.json.schema_components([*types, Problem], ref_template=_SCHEMAS)
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Appliance", "version": __version__},
            "servers": [{"url": base}],
            "security": [{"bearer": []}],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _operation(of: Endpoint) -> dict[str, Any]:
    said: dict[str, Any] = {
        "summary": (inspect.getdoc(of.handler) or "").partition("\n")[0],
        "operationId": f"{of.handler.__module__.rpartition('.')[2]}.{of.handler.__name__}",
        "parameters": [
            *_path_parameters(of.path),
            *(_query(each) for each in of.query),
        ],
        "responses": {str(of.status): _response(of.gives), "default": _problem()},
    }
    if of.takes is not None:
        said["requestBody"] = {"content": _content(of.takes)}
    if of.public:
        said["security"] = []
    return said


def _path_parameters(path: str) -> Iterable[dict[str, Any]]:
    return (_parameter(name, "path") for name in re.findall(r"\{(\w+)\}", path))


def _parameter(name: str, where: str) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}}


def _query(of: Param) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([of.kind], ref_template=_SCHEMAS)
    return {"name": of.name, "in": "query", "required": of.needed, "description": of.says, "schema": schema}


def _response(gives: Any) -> dict[str, Any]:
    return {"description": "done"} | ({"content": _content(gives)} if gives is not None else {})


def _content(kind: Any) -> dict[str, Any]:
    if kind is bytes:
        return {"application/octet-stream": {}, "multipart/form-data": {}}
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_SCHEMAS)
    return {"application/json": {"schema": schema}}


def _problem() -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([Problem], ref_template=_SCHEMAS)
    return {"description": "it did not work", "content": {"application/problem+json": {"schema": schema}}}
