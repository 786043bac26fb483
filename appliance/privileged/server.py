"""Listens for the daemon, asks the kernel who it is (SO_PEERCRED, unix(7)), carries out verbs, and answers."""

import asyncio
import logging
import socket
import struct
from collections import defaultdict
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from appliance.errors import ApplianceError, Conflict, Denied, Invalid
from appliance.privileged.computer import Computer
from appliance.privileged.table import TABLE, Row
from appliance.privileged.verb import Verb
from appliance.privileged.wire import LARGEST_REQUEST, error_line, progress_line, read_request, result_line

log = logging.getLogger("appliance.privileged")

PATIENCE_SECONDS = 10.0
"""How long a client may take to send its request."""
IDLE_SECONDS = 60.0
"""Without a call for so long the helper ends; systemd starts it again with the next one."""
AT_ONCE = 32
"""Calls at the same time; a further one is refused."""
_PEER = struct.Struct("3i")
"""``struct ucred``: process, user, group."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection, as the kernel says it."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    """Who connected; this was noted by the kernel then and cannot be forged."""
    pid, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return Peer(pid, uid)


class Server:
    """Serves one listening socket. ``users`` are the numbers of those who may ask."""

    def __init__(self, computer: Computer, users: frozenset[int], table: Mapping[str, Row] = TABLE) -> None:
        self._computer, self._users, self._table = computer, users, table
        self._verbs = {name: row.verb for name, row in table.items()}
        self._alone: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._open = 0
        self._changed = asyncio.Event()
        self._stopping = False

    def stop(self) -> None:
        """Take no further calls; those that go on are carried to their end."""
        self._stopping = True
        self._changed.set()

    async def serve(self, listening: socket.socket, idle: float | None = None) -> None:
        """Until ``stop`` is called, or nobody has called for ``idle`` seconds."""
        async with asyncio.TaskGroup() as calls:
            accepting = calls.create_task(self._accept(listening, calls))
            await self._until_idle(idle)
            accepting.cancel()

    async def _until_idle(self, idle: float | None) -> None:
        while not self._stopping:
            self._changed.clear()
            try:
                async with asyncio.timeout(idle):
                    await self._changed.wait()
            except TimeoutError:
                if not self._open:
                    return

    async def _accept(self, listening: socket.socket, calls: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listening)
            connection.setblocking(False)
            self._open += 1
            self._changed.set()
            calls.create_task(self._call(connection))

    async def _call(self, connection: socket.socket) -> None:
        """One connection from its beginning to its end; nothing that a client does may end the server."""
        try:
            with suppress(OSError):
                peer = peer_of(connection)
                reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LARGEST_REQUEST)
                try:
                    await self._answer(peer, reader, writer)
                    await writer.drain()
                finally:
                    writer.close()
        finally:
            connection.close()
            self._open -= 1
            self._changed.set()

    async def _answer(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self._admit(peer)
            verb = read_request(await _request(reader), self._verbs)
            result = await self._carry_out(verb, peer, reader, writer)
            end = result_line(result)
        except _LeftError:
            return
        except ApplianceError as error:
            log.warning("refused to process %s of user %s: %s: %s", peer.pid, peer.uid, error.code, error.message)
            end = error_line(error)
        except OSError as error:  # of a verb: a disk that is full or broken
            log.exception("a call failed")
            text = f"the privileged helper: {error.strerror or error}: {error.filename or 'a file'}"
            end = error_line(ApplianceError("helper-failed", text, "look at the disk of the appliance"))
        except Exception as error:  # a defect in one verb must not take the others down
            log.exception("a call failed")
            text = f"the privileged helper failed: {type(error).__name__}"
            hint = "this is a defect; its journal tells more: journalctl -u appliance-helper.service"
            end = error_line(ApplianceError("helper-failed", text, hint))
        if not writer.is_closing():
            writer.write(end)

    def _admit(self, peer: Peer) -> None:
        if peer.uid not in self._users:
            text = f"user {peer.uid} may not ask the privileged helper"
            raise Denied("peer-refused", text, "ask as root, or as the user of the daemon")
        if self._open > AT_ONCE:
            raise Conflict("helper-busy", f"the privileged helper does {AT_ONCE} things already", "ask again later")

    async def _carry_out(
        self, verb: Verb[Any], peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> object:
        """Alone in its area where the verb says so; raises _LeftError where nobody waits for the end any more."""
        row = self._table[verb.name]

        def tell(progress: float | None, message: str = "") -> None:
            if not writer.is_closing():
                writer.write(progress_line(progress, message))

        async with AsyncExitStack() as held:
            if row.alone:
                await held.enter_async_context(self._alone[row.area])
            log.info("%s for process %s of user %s", verb.name, peer.pid, peer.uid)
            act = row.act(verb, self._computer, tell)
            return await (_unless_left(act, reader) if row.stops else act)


class _LeftError(Exception):
    """Who asked has gone, and what was asked was stopped."""


async def _unless_left(act: Awaitable[object], reader: asyncio.StreamReader) -> object:
    """What ``act`` comes to; it is stopped, and _LeftError raised, when the other end closes before."""

    async def outcome() -> object:
        try:
            return await act
        except Exception as error:  # raised again below, where no task group wraps it
            return error

    async def watch() -> None:
        with suppress(OSError):
            while await reader.read(LARGEST_REQUEST):
                continue
        acting.cancel()

    async with asyncio.TaskGroup() as group:
        acting = group.create_task(outcome())
        watching = group.create_task(watch())
        await asyncio.wait({acting})
        watching.cancel()
    if acting.cancelled():
        raise _LeftError
    found = acting.result()
    if isinstance(found, Exception):
        raise found
    return found


async def _request(reader: asyncio.StreamReader) -> bytes:
    """The one line that a client sends; raises Invalid, or _LeftError where nothing came."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            line = await reader.readline()
    except TimeoutError:
        text = f"no whole request within {PATIENCE_SECONDS:.0f} seconds"
        raise Invalid("request-slow", text, "end it with a newline") from None
    except ValueError:  # beyond the reader's limit
        raise Invalid(
            "request-too-large", f"a request to the privileged helper has at most {LARGEST_REQUEST} bytes"
        ) from None
    except OSError as error:
        raise _LeftError from error
    if not line.endswith(b"\n"):
        raise _LeftError
    return line
