"""Forms at the border: whatever is wrong with one is the sender's fault, not a defect of ours."""

import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http import HttpProcessingError

from appliance.errors import Invalid

_UNREADABLE = (ValueError, AssertionError, LookupError, RuntimeError, HttpProcessingError, zlib.error)
"""What the HTTP library raises: no boundary, no headers, an unknown character set or encoding, text that is none."""


@contextmanager
def readable() -> Iterator[None]:
    """For reading of a form only: raises Invalid ``body-invalid`` where it is none."""
    try:
        yield
    except _UNREADABLE as error:
        message = f"The form cannot be read: {str(error)[:200] or type(error).__name__}"
        raise Invalid("body-invalid", message, "send a complete form, as UTF-8") from error


async def fields(request: web.Request) -> Mapping[str, Any]:
    """The fields of a small form; raises Invalid."""
    with readable():
        return await request.post()


def text(sent: Mapping[str, Any], name: str) -> str:
    """A field's text; empty where there is none, or a file in its place."""
    value = sent.get(name, "")
    return value if isinstance(value, str) else ""


async def parts(request: web.Request) -> MultipartReader:
    """A form that is read part by part, for files that memory does not hold; raises Invalid."""
    with readable():
        return await request.multipart()


async def next_part(reader: MultipartReader) -> BodyPartReader | None:
    """The form's next field or file, None at its end; raises Invalid."""
    with readable():
        part = await reader.next()
    if part is None or isinstance(part, BodyPartReader):
        return part
    raise Invalid("form-nested", "The form holds a part that is neither text nor file", "send one flat form")


async def chunks(part: BodyPartReader, size: int) -> AsyncIterator[bytes]:
    """The content of a part, in pieces of ``size`` bytes at most; raises Invalid."""
    while chunk := await _chunk(part, size):
        yield chunk


async def file(reader: MultipartReader, name: str, size: int) -> AsyncIterator[bytes]:
    """The content of the form's next file, which has to be ``name``; nothing where the form ends. Raises Invalid."""
    part = await next_part(reader)
    if part is None:
        return
    if part.name != name:
        raise Invalid("form-order", f"the form's next file is not {name}", "send vmlinuz, then initrd", name)
    async for chunk in chunks(part, size):
        yield chunk


async def _chunk(part: BodyPartReader, size: int) -> bytes:
    with readable():
        return bytes(await part.read_chunk(size))
