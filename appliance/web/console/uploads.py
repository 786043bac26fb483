"""Forms with files: their text fields are read, and their files go to disk as they come."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, MultipartReader, web

from appliance.catalogue import Image, Kernel
from appliance.errors import Conflict, Invalid, NotFound
from appliance.web.forms import chunks, next_part, parts
from appliance.web.keys import SERVICES

CHUNK = 1 << 18
"""Bytes in memory for one upload."""
MOST_FIELDS = 8
TEXT_LIMIT = 1 << 17
"""Bytes of a text field that are read; what is longer than a field takes comes back with the form, up to here."""


@dataclass(slots=True)
class Upload:
    """A form as far as it was read; what was typed outlives whatever is wrong with it."""

    fields: dict[str, str] = field(default_factory=dict)
    file: BodyPartReader | None = None
    """The first file, its content unread; None where none was chosen."""
    reader: MultipartReader | None = None
    """What comes after that file."""

    def text(self, name: str) -> str:
        """A field; empty where it was not sent."""
        return self.fields.get(name, "")


async def receive(request: web.Request, received: Upload, file: str) -> None:
    """Read the text fields up to the field ``file``; raises Invalid."""
    if not request.content_type.startswith("multipart/"):
        raise Invalid("upload-form", "this is not a form with a file", "use the form on the page for uploads")
    received.reader = await parts(request)
    while (part := await next_part(received.reader)) is not None:
        if part.name == file:
            received.file = part if part.filename else None
            return
        received.fields[str(part.name)] = await _text(part)
        if len(received.fields) > MOST_FIELDS:
            raise Invalid("form-invalid", "the form has more fields than its page", "use the form on the page")


async def only_file(request: web.Request, asked: str) -> AsyncIterator[bytes]:
    """The content, as it comes, of a form that is a field ``file`` and nothing else.

    Raises Invalid, as ``receive`` does, and ``file-missing`` with the words ``asked`` where none was chosen.
    """
    received = Upload()
    await receive(request, received, "file")
    if received.file is None:
        raise Invalid("file-missing", asked, field="file")
    return chunks(received.file, CHUNK)


Finds = Callable[[sqlite3.Connection, str], Image | Kernel]
"""Gives what has a name; raises NotFound."""


async def require_free(request: web.Request, finds: Finds, what: str, name: str) -> None:
    """Raise Conflict where there is a ``what`` of that name: said now, not after gigabytes.

    One whose content is missing may be uploaded again.
    """
    services = request.app[SERVICES]
    try:
        found = await services.store.read(lambda db: finds(db, name))
    except NotFound:
        return
    if services.imports.lacks(found):
        return
    raise Conflict("name-taken", f"Another {what} is called {name}", "choose another name", "name")


async def _text(part: BodyPartReader) -> str:
    data = b""
    async for chunk in chunks(part, TEXT_LIMIT):
        data += chunk
        if len(data) > TEXT_LIMIT:
            raise Invalid("field-too-long", "a field holds more text than it may", field=str(part.name))
    return data.decode(errors="replace").strip()
