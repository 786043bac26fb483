"""Orders from outside to the inside of a lab: one JSON object per line, one answer line each, on a Unix socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from appliance.errors import ApplianceError

LONGEST_LINE = 1 << 20

Order = dict[str, Any]
Obey = Callable[[str, Order], Awaitable[Any]]


async def serve(path: Path, obey: Obey) -> asyncio.Server:
    """Take orders at ``path``, which must be free.

    ``obey(what, order)`` returns something that JSON can say, or raises ApplianceError.
    """

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await _answer(obey, line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(attend, path, limit=LONGEST_LINE)


async def _answer(obey: Obey, line: bytes) -> dict[str, Any]:
    try:
        order = json.loads(line)
        return {"result": await obey(order.pop("order"), order)}
    except ApplianceError as error:
        return {"code": error.code, "message": error.message, "hint": error.hint}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return {"code": "lab-order", "message": f"not an order: {error!r}", "hint": ""}


async def ask(path: Path, order: str, /, **arguments: Any) -> Any:
    """Give one order and return its result; raises what the inside raised, or ``lab-gone``."""
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST_LINE)
    except (FileNotFoundError, ConnectionError):
        raise ApplianceError("lab-gone", f"the lab {path.parent.name} does not answer") from None
    try:
        writer.write(json.dumps({"order": order, **arguments}).encode() + b"\n")
        line = await reader.readline()
    finally:
        writer.close()
    return _result(line, path)


def _result(line: bytes, path: Path) -> Any:
    if not line:
        raise ApplianceError("lab-gone", f"the lab {path.parent.name} ended")
    answer = json.loads(line)
    if "code" in answer:
        raise ApplianceError(answer["code"], answer["message"], answer["hint"])
    return answer["result"]
