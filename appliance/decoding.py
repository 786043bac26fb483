"""Values of a kind out of JSON, or out of what was JSON: the one way to msgspec, safe for threads.

msgspec 0.22 notes what it knows of a class on the class before it knows all of it. Another thread that meets the class
in that moment takes what is there, and reads through pointers that are not set yet: SIGSEGV. So each kind is made known
by one thread at a time, before anything is read as it.
"""

import threading
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")
Hook = Callable[[type, Any], Any]

_making = threading.Lock()


@cache
def decoder(kind: Any, hook: Hook | None = None, *, strict: bool = True) -> "msgspec.json.Decoder[Any]":
    """Reads JSON as ``kind``; ``hook`` as msgspec's ``dec_hook``. Kept: making one takes longer than reading."""
    with _making:
        return msgspec.json.Decoder(kind, strict=strict, dec_hook=hook)


@overload
def decoded(document: bytes | str, kind: type[T]) -> T: ...
@overload
def decoded(document: bytes | str, kind: Any) -> Any: ...
def decoded(document: bytes | str, kind: Any) -> Any:
    """The value of a JSON document; raises msgspec.DecodeError, ValidationError among them, where it is none."""
    return decoder(kind).decode(document)


@overload
def converted(value: Any, kind: type[T], *, strict: bool = True, from_attributes: bool = False) -> T: ...
@overload
def converted(value: Any, kind: Any, *, strict: bool = True, from_attributes: bool = False) -> Any: ...
def converted(value: Any, kind: Any, *, strict: bool = True, from_attributes: bool = False) -> Any:
    """As ``kind``, as msgspec.convert does it; raises msgspec.ValidationError where it is none."""
    decoder(kind)
    return msgspec.convert(value, kind, strict=strict, from_attributes=from_attributes)
