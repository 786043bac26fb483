"""Query parameters: their types as data, and what a request says, checked against them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

import msgspec
from aiohttp import web

from appliance.decoding import converted
from appliance.errors import Invalid

Word = Annotated[str, msgspec.Meta(max_length=200)]
"""A line of text."""
Position = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""A whole number that JSON carries between all programs (RFC 8259 section 6)."""

MOST_VALUES = 50
"""Values of one parameter: SQLite takes no condition of a thousand parts."""


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a query. A ``kind`` that is a list may be given several times."""

    name: str
    kind: Any
    says: str
    """What it means, for the API's document."""
    needed: bool = False

    @property
    def several(self) -> bool:
        """Whether it may be given more than once."""
        return get_origin(self.kind) is list or get_origin(_bare(self.kind)) is list


def _bare(kind: Any) -> Any:
    """The type without its bounds."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def given(request: web.Request, params: Sequence[Param]) -> dict[str, Any]:
    """The parameters that the request has, by name, each of its type.

    Raises Invalid: ``query-unknown`` for one that is not declared, ``query-missing`` for one that is needed,
    ``query-invalid`` for a value that does not do. An empty text stands for a parameter that is not there.
    """
    declared = {each.name: each for each in params}
    refuse_unknown(request, declared)
    found = {name: _values(request, each) for name, each in declared.items()}
    missing = next((name for name, each in declared.items() if each.needed and found[name] is None), None)
    if missing:
        raise Invalid("query-missing", f"the address lacks {missing}=", f"add ?{missing}=...", missing)
    return {name: value for name, value in found.items() if value is not None}


def refuse_unknown(request: web.Request, known: Iterable[str]) -> None:
    """Raise Invalid ``query-unknown`` for a parameter that is not among the known ones."""
    names = tuple(known)
    unknown = next((name for name in request.query if name not in names), None)
    if unknown is not None:
        hint = f"use {', '.join(names)}" if names else "leave the query away"
        raise Invalid("query-unknown", f"this address takes no parameter {unknown[:80]!r}", hint, unknown[:80])


def _values(request: web.Request, param: Param) -> Any:
    texts = request.query.getall(param.name, [])
    if param.several:
        return [_value(param, text, of=get_args(_bare(param.kind))[0]) for text in _enough(param, texts)] or None
    if len(texts) > 1:
        raise Invalid("query-invalid", f"{param.name}= is given {len(texts)} times", "give it once", param.name)
    if not texts or (texts[0] == "" and _is_text(param.kind)):
        return None
    return _value(param, texts[0], of=param.kind)


def _enough(param: Param, texts: list[str]) -> list[str]:
    if len(texts) > MOST_VALUES:
        often, most = f"{param.name}= is given {len(texts)} times", f"{MOST_VALUES} times at most"
        raise Invalid("query-invalid", often, most, param.name)
    return texts


def _is_text(kind: Any) -> bool:
    return _bare(kind) is str


def _value(param: Param, text: str, of: Any) -> Any:
    try:
        text.encode()  # a path may decode to what is no Unicode, which no database takes
        value = converted(text, of, strict=False)
        if isinstance(value, float) and not math.isfinite(value):
            raise msgspec.ValidationError("Expected a finite number")
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        why = "this is not Unicode text" if isinstance(error, UnicodeEncodeError) else str(error)[:200]
        shown = text[:40].encode(errors="replace").decode()
        raise Invalid("query-invalid", f"{param.name}={shown!r} does not do: {why}", hint_of(of), param.name) from None
    return value


def hint_of(kind: Any) -> str:
    """What a value of this type looks like, in words."""
    named: Mapping[str, Any] = msgspec.json.schema(kind)
    schema = next(iter(named.get("$defs", {}).values()), named)
    if "enum" in schema:
        return f"use one of {', '.join(map(str, schema['enum']))}"
    if schema.get("type") == "boolean":
        return "use true or false"
    if "minimum" in schema:
        return f"use a whole number from {schema['minimum']} to {schema['maximum']}"
    return f"use a {schema.get('type', 'value')}"
