"""Makes what an order asks for: ``python -m appliance.recipes.building PLACE``.

It needs user namespaces, which the daemon's unit has none of: on a flashed appliance it runs in a unit of its own
(``appliance-recipe@.service``), elsewhere as a child of the daemon. ``PLACE`` is a directory with the order in it; what
it says, the image, or why there is none, are put beside it.
"""

import asyncio
import os
import shutil
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import statvfs
from pathlib import Path

import msgspec

from appliance import command
from appliance.decoding import decoded
from appliance.errors import ApplianceError, first_of
from appliance.filesystem.make import check_programs
from appliance.recipes import bootable, disk
from appliance.recipes.bootable import Identity
from appliance.recipes.order import (
    FOR_DISKS,
    IMAGE,
    PROGRAMS,
    TREE,
    Order,
    bootstrap,
    environment,
    limit,
    packed,
    sources_list,
    stage_of,
)
from appliance.recipes.recipe import KEYRINGS

ORDER, SAID, FAILED = "order.json", "said", "failed.json"
"""Names in the place: what is asked for, lines of ``Said``, a ``Failure``."""
TEMPORARY = "/var/tmp"  # noqa: S108 - mmdebstrap makes a directory of its own in it
"""Where the tree grows: on a disk, and where the users of its namespace get to."""
RESERVE = 1 << 30
"""Bytes that stay free wherever something is written."""
LOOK_EVERY = 2.0
"""Seconds between two looks at what is free."""
PIECE = 1 << 20
TREE_DONE = 0.85
"""How far it is when all packages are there."""
FILLED = 0.93
"""How far it is when the file system of a disk is made."""
LAST_LINES = 15


class Said(msgspec.Struct, frozen=True):
    """How far it is."""

    share: float
    """0 to 1."""
    text: str


class Failure(msgspec.Struct, frozen=True):
    """Why there is no image."""

    code: str
    message: str
    hint: str = ""


def missing(keyring: str, *, whole_disk: bool = False) -> str:
    """What has to be installed before a recipe signed by this keyring can be made, as packages; empty: nothing."""
    needed = PROGRAMS | (FOR_DISKS if whole_disk else {})
    lacking = {package for program, package in needed.items() if shutil.which(program) is None}
    file, package = KEYRINGS[keyring]
    return " ".join(sorted(lacking | (set() if Path(file).is_file() else {package})))


async def check_tools(keyring: str, whole_disk: bool) -> None:
    """Raise ApplianceError ``recipe-tools-missing``, ``mke2fs-old``."""
    if lacking := await asyncio.to_thread(missing, keyring, whole_disk=whole_disk):
        text = f"images cannot be made by this recipe here: {lacking} is not installed"
        raise ApplianceError("recipe-tools-missing", text, f"install it: apt-get install {lacking}")
    if whole_disk:
        await check_programs("tar")


class Building:
    """One of them."""

    def __init__(self, place: Path, temporary: str = TEMPORARY) -> None:
        self._place, self._temporary = place, temporary
        self._share, self._last = 0.0, deque[str](maxlen=LAST_LINES)
        self._order = decoded((place / ORDER).read_bytes(), Order)

    def run(self) -> None:
        """Until the image is there.

        Raises ApplianceError ``recipe-tools-missing``, ``mke2fs-old``, ``recipe-no-room``, ``recipe-too-long``,
        ``recipe-failed``.
        """
        asyncio.run(check_tools(self._order.recipe.keyring, self._order.disk))
        self._check_room()
        (self._place / "sources.list").write_text(sources_list(self._order.recipe))
        try:
            (self._pack_disk if self._order.disk else self._pack_root)()
        except ApplianceError as error:
            raise self._explained(error) from error
        except OSError as error:
            raise self._no_room() from error
        finally:
            for name in (TREE, disk.ROOT):
                (self._place / name).unlink(missing_ok=True)

    def _pack_root(self) -> None:
        asyncio.run(self._within_room())
        size = (self._place / TREE).stat().st_size
        with (self._place / TREE).open("rb") as tree:
            pieces = iter(lambda: tree.read(PIECE), b"")
            self._pack(packed(self._place), pieces, size, TREE_DONE, "files")

    def _pack_disk(self) -> None:
        identity = Identity(uuid.uuid4())
        for name, text in bootable.given(identity).items():
            (self._place / name).write_text(text)
        asyncio.run(self._within_room())
        self._share = TREE_DONE
        self._say("making the file system of the disk")
        size = (self._place / TREE).stat().st_size
        asyncio.run(disk.root(self._place, size, identity, self._room_for, self._filling))
        (self._place / TREE).unlink()
        disk.esp(self._place, identity, self._order.recipe.keyring)
        parts, size = disk.laid_out(self._place, identity)
        self._pack(disk.packed(self._place / IMAGE, size), disk.pieces(parts, size), size, FILLED, "disk")

    def _filling(self, at: float, _: str) -> None:
        share = TREE_DONE + (FILLED - TREE_DONE) * at
        if share > self._share + 0.01:
            self._share = share
            self._say("making the file system of the disk")

    def _room_for(self, _: Path, size: int) -> None:
        """Raises ApplianceError ``recipe-no-room`` where so many bytes more would leave too little in the place."""
        if self._free(self._place) < RESERVE + size:
            raise self._no_room()

    async def _within_room(self) -> None:
        """Make the tree, and stop before a disk is full."""
        argv, surroundings = bootstrap(self._order, self._place), environment(self._order, self._temporary)
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(), name="watching what is free")
                await command.heard(argv, surroundings, self._hears, limit(self._order))
                watch.cancel()
        except BaseExceptionGroup as error:
            raise first_of(error) from None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self._check_room()

    def _check_room(self) -> None:
        if self._is_full():
            raise self._no_room()

    def _is_full(self) -> bool:
        return any(self._free(each) < RESERVE for each in (self._temporary, self._place))

    @staticmethod
    def _free(where: str | Path) -> int:
        found = statvfs(where)
        return found.f_bavail * found.f_frsize

    def _no_room(self) -> ApplianceError:
        text = "there is no room for what the recipe makes: less than 1 GB is free"
        return ApplianceError("recipe-no-room", text, "delete images that nobody needs, or name fewer packages")

    def _hears(self, line: str) -> None:
        self._last.append(line[:300])
        if (share := stage_of(line)) is not None:
            self._share = share
        if line.startswith(("I: ", "W: ", "E: ")):
            self._say(line[3:])

    def _say(self, text: str) -> None:
        with (self._place / SAID).open("ab") as said:
            said.write(msgspec.json.encode(Said(self._share, text[:300])) + b"\n")

    def _pack(self, argv: Sequence[str], pieces: Iterable[bytes], size: int, share: float, what: str) -> None:
        """Have ``pieces``, ``size`` bytes, packed by a program that reads them; ``share`` is done before."""
        command.fed(
            argv, {}, self._told(pieces, size, share, f"packing {size / 1e6:.0f} MB of {what}"), limit(self._order)
        )

    def _told(self, pieces: Iterable[bytes], size: int, share: float, text: str) -> Iterator[bytes]:
        """The same, while it is told how far it is."""
        at = step = 0
        self._share = share
        self._say(text)
        for piece in pieces:
            at += len(piece)
            if at >= step:
                step = at + 64 * PIECE
                self._check_room()
                self._share = share + (1 - share) * at / size
                self._say(text)
            yield piece

    def _explained(self, error: ApplianceError) -> ApplianceError:
        if error.code == "program-stuck":
            text = f"it was not done after {self._order.recipe.minutes} minutes"
            return ApplianceError("recipe-too-long", text, "give it more minutes, or a mirror that is nearer")
        if error.code == "filesystem-failed":
            return ApplianceError("recipe-failed", error.message, "this is a defect: keep the log of the task")
        if error.code != "program-failed":
            return error
        if self._is_full():  # tar2sqfs ends without a word then
            return self._no_room()
        if self._share >= TREE_DONE:
            return ApplianceError("recipe-failed", f"the image could not be made of the files: {error.message[-500:]}")
        said = " | ".join(self._last) or error.message[-500:]
        return ApplianceError("recipe-failed", f"the packages could not be installed: {said[-1500:]}", _cause(said))


_CAUSES: Sequence[tuple[tuple[str, ...], str]] = (
    (
        ("File too large", "Filesize limit"),
        "it is larger than the recipe allows: name fewer packages, or raise gigabytes",
    ),
    (("No space left",), "there is no room: delete images that nobody needs"),
    (("NO_PUBKEY", "not signed", "BADSIG", "EXPKEYSIG"), "the mirror is not signed by the keyring of the recipe"),
    (("Unable to locate package", "no installation candidate"), "name packages that this release has"),
    (
        ("Could not resolve", "Could not connect", "Failed to fetch", "Connection"),
        "see whether the mirror and the proxy answer",
    ),
    (("newuidmap", "unshare", "subuid"), "the user of the daemon needs lines in /etc/subuid and /etc/subgid"),
)
"""What to do, by what stands in the last lines."""


def _cause(said: str) -> str:
    return next((hint for signs, hint in _CAUSES if any(sign in said for sign in signs)), "see the log of the task")


def make(place: Path, build: Callable[[Path], object] = lambda place: Building(place).run()) -> int:
    """Make it; the exit code. Why it failed stands in ``FAILED``."""
    for name in (IMAGE, TREE, SAID, FAILED):
        (place / name).unlink(missing_ok=True)
    try:
        build(place)
    except ApplianceError as error:
        failure = Failure(error.code, error.message, error.hint)
        (place / FAILED).write_bytes(msgspec.json.encode(failure))
        return 1
    return 0


if __name__ == "__main__":
    # What packages make without saying how is readable for everybody, as everywhere else; the place is closed itself.
    os.umask(0o022)
    sys.exit(make(Path(sys.argv[1])))
