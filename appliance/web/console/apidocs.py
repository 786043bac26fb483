"""The API's document as a page, made from the same OpenAPI document that programs read."""

import asyncio
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from appliance.web.api.routes import BASE, the_document
from appliance.web.console.page import render

QRM = {
    "GET /machines": "qrm machines",
    "GET /machines/{key}": "qrm machines show MACHINE",
    "PATCH /machines/{key}": "qrm machines set MACHINE --maintenance off",
    "DELETE /machines/{key}": "qrm machines delete MACHINE",
    "GET /machines/{key}/timeline": "qrm machines timeline MACHINE",
    "GET /images": "qrm images",
    "POST /images": "qrm images add FILE --name NAME",
    "DELETE /images/{key}": "qrm images delete IMAGE",
    "GET /kernels": "qrm kernels",
    "GET /deployments": "qrm deployments",
    "GET /deployments/{key}": "qrm deployments show DEPLOYMENT",
    "POST /deployments": "qrm deployments create NAME --image IMAGE",
    "DELETE /deployments/{key}": "qrm deployments delete DEPLOYMENT",
    "GET /events": "qrm events",
    "GET /tasks": "qrm tasks",
    "POST /sessions": "qrm login URL",
}
"""The same on the command line, where there is one command for it."""

_VALUES: Mapping[str, Any] = {"string": "...", "integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter or field: its name, type in words, what it means, and whether it has to be there."""

    name: str
    kind: str
    says: str
    needed: bool
    where: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One address with one method, as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    role: str
    parameters: tuple[Field, ...]
    takes: tuple[Field, ...]
    gives: tuple[Field, ...]
    statuses: tuple[tuple[str, str], ...]
    curl: str
    qrm: str


async def show(request: web.Request) -> web.Response:
    """GET /docs/api"""
    described = await asyncio.to_thread(lambda: nouns(the_document()))
    return render(request, "apidocs.html", nouns=described, base=BASE)


@cache
def nouns(document: bytes) -> dict[str, list[Operation]]:
    """The operations of an OpenAPI document, by noun."""
    whole = json.loads(document)
    found: dict[str, list[Operation]] = {}
    for path, methods in whole["paths"].items():
        for method, of in methods.items():
            found.setdefault(of["tags"][0], []).append(_operation(whole, method.upper(), path, of))
    return found


def _operation(whole: dict[str, Any], method: str, path: str, of: dict[str, Any]) -> Operation:
    content = of.get("requestBody", {}).get("content", {})
    answer = next(iter(of["responses"].values())).get("content", {})
    return Operation(
        of["operationId"],
        method,
        path,
        of["summary"],
        of["x-role"],
        tuple(_parameter(whole, each) for each in of["parameters"]),
        tuple(_fields(whole, _schema(content))),
        tuple(_fields(whole, _schema(answer))),
        tuple((status, each["description"]) for status, each in of["responses"].items()),
        _curl(whole, method, path, of, content),
        QRM.get(f"{method} {path}", ""),
    )


def _schema(content: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = next(iter(content.values()), {})
    found: dict[str, Any] = first.get("schema", {})
    return found


def _resolved(whole: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = whole["components"]["schemas"][name] if name else schema
    return found


def _parameter(whole: dict[str, Any], of: dict[str, Any]) -> Field:
    kind = _kind(whole, of["schema"])
    return Field(of["name"], kind, of.get("description", ""), of["required"], of["in"])


def _fields(whole: dict[str, Any], schema: dict[str, Any]) -> Iterator[Field]:
    resolved = _resolved(whole, schema)
    needed = resolved.get("required", ())
    for name, each in resolved.get("properties", {}).items():
        yield Field(name, _kind(whole, each), each.get("description", ""), name in needed)


def _kind(whole: dict[str, Any], schema: dict[str, Any]) -> str:
    """The type of a schema in words."""
    if "$ref" in schema:
        resolved = _resolved(whole, schema)
        return _kind(whole, resolved) if "enum" in resolved else str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(whole, each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(whole, schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def _curl(whole: dict[str, Any], method: str, path: str, of: dict[str, Any], content: dict[str, Any]) -> str:
    """A command line that does it."""
    needed = {each["name"]: "..." for each in of["parameters"] if each["in"] == "query" and each["required"]}
    address = f"https://APPLIANCE:8443{BASE}{path.replace('{', '').replace('}', '')}"
    words = ["curl", "--cacert", "ca.pem", *(["-X", method] if method != "GET" else [])]
    if of.get("security") != []:
        words += ["-H", "Authorization: Bearer TOKEN"]
    words += _body(whole, content)
    return shlex.join([*words, address + (f"?{urlencode(needed)}" if needed else "")])


def _body(whole: dict[str, Any], content: dict[str, Any]) -> list[str]:
    if "application/json" in content:
        resolved = _resolved(whole, content["application/json"]["schema"])
        example = {name: _example(whole, resolved["properties"][name]) for name in resolved.get("required", ())}
        return ["-H", "Content-Type: application/json", "-d", json.dumps(example)]
    if "multipart/form-data" in content:
        files = content["multipart/form-data"]["schema"]["properties"]
        return [word for name in files for word in ("-F", f"{name}=@{name}")]
    return ["-H", "Content-Type: application/octet-stream", "-T", "FILE"] if content else []


def _example(whole: dict[str, Any], schema: dict[str, Any]) -> Any:
    resolved = _resolved(whole, schema.get("anyOf", [schema])[0])
    return resolved["enum"][0] if "enum" in resolved else _VALUES.get(resolved.get("type", "string"))
