"""Backups through console and API: made to be downloaded, uploaded, and brought back by the daemon itself."""

import asyncio
import os
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiohttp import web

from appliance.accounts import Asker, require_person
from appliance.backup import incoming
from appliance.backup.format import Header
from appliance.config import parse
from appliance.config_fitting import fit
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Event
from appliance.network import first_addresses
from appliance.privileged.verbs.configuration import Write
from appliance.privileged.verbs.network import Status
from appliance.privileged.verbs.services import DAEMON, Restart
from appliance.reconcile import audit
from appliance.reconcile.disk_room import check_room
from appliance.reconcile.record import Tell, record
from appliance.web.services import Services

LEFT_SECONDS = 600.0
"""After which a backup that nobody fetched is one whose reader went away while it was made."""

# What makes and reads backups is imported when it is needed: an appliance at rest has no use for it.


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A backup that waits for a decision."""

    header: Header
    size: int
    """Bytes."""

    @property
    def encrypted(self) -> bool:
        """Whether it takes a passphrase."""
        return self.header.derivation is not None


@dataclass(frozen=True, slots=True)
class OldState:
    """A state that a restore took the place of."""

    name: str
    size: int
    """Bytes that would be free without it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that there is to show."""

    uploaded: Uploaded | None
    old: list[OldState]
    configuration: str | None
    """The configuration file of the backup that was restored, while nobody has decided about it."""
    network: str | None
    """The same of the networks of that appliance, as ``PUT /appliance/network`` takes them."""


class Backups:
    """Every method that does something takes ``by``, who asked; raises ApplianceError."""

    def __init__(self, services: Services) -> None:
        self._store, self._bus, self._clock = services.store, services.bus, services.clock
        self._state, self._config, self._again = services.state_dir, services.config_path, services.again
        self._privileged = services.privileged
        self._busy = asyncio.Lock()

    async def standing(self) -> Standing:
        """What was uploaded, what is left of restores, and what is to be decided."""
        return await asyncio.to_thread(self._standing)

    def _standing(self) -> Standing:
        old = [OldState(name, incoming.room_taken(self._state / name)) for name in incoming.old_states(self._state)]
        configuration, network = incoming.offered_configuration(self._state), incoming.offered_network(self._state)
        return Standing(self._uploaded(), old, configuration, network)

    def _uploaded(self) -> Uploaded | None:
        from appliance.backup.contents import read_header

        path = incoming.uploaded(self._state)
        with suppress(ApplianceError):  # it was checked when it came; a damaged one is as good as none
            return Uploaded(read_header(path), path.stat().st_size) if path else None
        return None

    async def make(self, passphrase: str, by: Asker) -> Path:
        """A new backup in a file of ours, to be sent and removed.

        Raises Invalid ``passphrase-short``, Denied for a token, and what ``backup.make`` raises.
        """
        require_person(by, "make backups: they hold the keys of the appliance")
        from appliance.backup.make import Order, check_passphrase, make

        try:
            check_passphrase(passphrase)
        except Invalid as error:
            raise Invalid(error.code, error.message, error.hint, "passphrase") from None
        base = await asyncio.to_thread(incoming.directory, self._state)
        target = base / f"{incoming.DOWNLOAD}{os.urandom(8).hex()}"
        order = Order(
            self._config, target, socket.gethostname(), self._clock(), passphrase, network=await self._network()
        )
        async with self._busy:
            await asyncio.to_thread(incoming.sweep_downloads, self._state, order.now - LEFT_SECONDS)
            await asyncio.to_thread(make, order)
        await self._note(by, "state.backup", "made a backup of the state")
        return target

    async def _network(self) -> bytes | None:
        """Our networks, for whoever restores; a backup is made without them where nobody can tell."""
        with suppress(ApplianceError):
            if self._privileged.here:
                return msgspec.json.encode((await self._privileged.call(Status())).layout)
        return None

    async def receive(self, chunks: AsyncIterator[bytes], expected: int, by: Asker) -> Uploaded:
        """Store an upload until it is decided about; one that waited gives way.

        ``expected`` is its size in bytes, as far as it is known. Raises Denied for a token, ApplianceError
        ``upload-failed``, ``backup-foreign``, ``backup-newer``, ``backup-damaged``.
        """
        require_person(by, "bring a state back")
        from appliance.backup.contents import read_header

        base = await asyncio.to_thread(incoming.directory, self._state)
        part = base / f"{incoming.UPLOADED}.{os.urandom(4).hex()}.part"
        try:
            await _stored(part, chunks, expected)
            header = await asyncio.to_thread(read_header, part)
            part.replace(base / incoming.UPLOADED)
        except OSError as error:
            message = f"the upload could not be stored: {error.strerror}"
            raise ApplianceError("upload-failed", message, "free some space, then upload again") from error
        except ApplianceError as error:
            raise _named(error, part) from error
        finally:
            part.unlink(missing_ok=True)
        return Uploaded(header, (base / incoming.UPLOADED).stat().st_size)

    async def forget(self, by: Asker) -> None:
        """Remove what was uploaded; nothing there is no error."""
        require_person(by, "decide about a backup")
        await asyncio.to_thread(incoming.forget_upload, self._state)

    async def restore(self, passphrase: str, by: Asker) -> list[str]:
        """Put the state of the uploaded backup together, and begin anew on it.

        Images and kernels whose content will be missing. Raises Denied for a token, NotFound, and what
        ``backup.prepare`` raises: then nothing has changed.
        """
        require_person(by, "bring a state back")
        from appliance.backup.prepare import prepare

        if self._busy.locked():
            raise Conflict("backup-busy", "a backup is being made or restored", "wait until that is done")
        async with self._busy:
            path = incoming.refuse_without(await asyncio.to_thread(incoming.uploaded, self._state))
            await self._note_if_possible(by, "state.restore", "asked for the state of the backup to be brought back")
            try:
                made = await asyncio.to_thread(prepare, self._state, path, lambda: passphrase or None, self._clock())
            except ApplianceError as error:
                raise _named(error, path) from error
        self._again()
        return made.missing

    async def use_configuration(self, by: Asker) -> None:
        """Put the configuration file of the restored backup in force, and start anew with it.

        Nobody has to: its networks may be those of another computer. Raises Denied for a token, NotFound, Conflict
        ``configuration-unfit`` where a subnet in it does not fit the networks here, what is wrong with the file, and
        ApplianceError ``helper-missing`` where files belong to somebody else.
        """
        require_person(by, "change the configuration")
        offered = await asyncio.to_thread(incoming.offered_configuration, self._state)
        if offered is None:
            raise NotFound("configuration-missing", "no backup has left a configuration to use", "restore one first")
        text = await asyncio.to_thread(self._fitting, offered)
        await self._privileged.call(Write(text))
        await asyncio.to_thread(incoming.forget_configuration, self._state)
        await self._note(by, "state.configuration", "put the configuration of the backup in force")
        await self._privileged.call(Restart(DAEMON))

    def _fitting(self, offered: str) -> str:
        """The file for this computer: our own state directory, and interfaces that are here."""
        from appliance.backup.configfile import with_state_dir

        text = with_state_dir(offered, self._state.resolve(), "the configuration of the backup")
        aside = fit(parse(text, "backup"), first_addresses()).aside
        if aside:
            reasons = "; ".join(f"{each.subnet}: {each.why}" for each in aside)
            message = f"not all that this configuration serves fits this computer's networks: {reasons}"
            hint = "set up the networks of this appliance so that it can, or set up its subnets anew"
            raise Conflict("configuration-unfit", message, hint)
        return text

    async def dismiss_configuration(self, by: Asker) -> None:
        """Nobody wants the configuration file of the backup."""
        require_person(by, "decide about a backup")
        await asyncio.to_thread(incoming.dismiss_configuration, self._state)

    async def remove_old(self, name: str, by: Asker) -> None:
        """Remove a state that a restore took the place of, for good. Raises NotFound."""
        require_person(by, "remove an old state")
        await asyncio.to_thread(incoming.remove_old_state, self._state, name)
        await self._note(by, "state.remove-old", f"removed the old state {name}")

    async def _note_if_possible(self, by: Asker, action: str, text: str) -> None:
        """A full disk is no reason to stay with the old state; that somebody may do this no more is one."""
        try:
            await self._note(by, action, text)
        except ApplianceError as error:
            if error.code not in ("store-failed", "store-stuck"):
                raise

    async def _note(self, by: Asker, action: str, text: str) -> None:
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            audit.note(db, by, action, ("state", "state", "state"), now=now)
            tell(Event("state.changed", now, f"{by} {text}"))

        await record(self._store, self._bus, job)


BACKUPS = web.AppKey("backups", Backups)
"""``request.app[BACKUPS]``."""


async def _stored(path: Path, chunks: AsyncIterator[bytes], expected: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        check_room(descriptor, expected)
        async for chunk in chunks:
            await asyncio.to_thread(_write, descriptor, chunk)
        await asyncio.to_thread(os.fsync, descriptor)
    except (ConnectionError, TimeoutError) as error:
        raise Invalid("upload-cut-off", "the upload ended before its end", "upload it again") from error
    finally:
        os.close(descriptor)


def _write(descriptor: int, chunk: bytes) -> None:
    check_room(descriptor, len(chunk))
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


_OF_FILE = ("backup-foreign", "backup-newer", "backup-damaged")
_OF_PASSPHRASE = ("passphrase-needed", "passphrase-wrong")


def _named(error: ApplianceError, path: Path) -> ApplianceError:
    """What is wrong with what was sent, beside its field, without the name of our file, which tells nobody anything."""
    text, hint = error.message.replace(str(path), "the backup").replace(path.name, "the backup"), error.hint
    if error.code in _OF_FILE:
        return Invalid(error.code, text, hint, "file")
    if error.code in _OF_PASSPHRASE:
        hint = "type the passphrase that it was made with; mind upper and lower case"
        return Invalid(error.code, text, hint, "passphrase")
    return error
