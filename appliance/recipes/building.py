"""Makes what an order asks for: ``python -m appliance.recipes.building PLACE``.

It needs user namespaces, which the daemon's unit has none of: on a flashed appliance it runs in a unit of its own
(``appliance-recipe@.service``), elsewhere as a child of the daemon. ``PLACE`` is a directory with the order in it; what
it says, the image, or why there is none, are put beside it.
"""

import asyncio
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from os import statvfs
from pathlib import Path

import msgspec

from appliance import command
from appliance.errors import ApplianceError, first_of
from appliance.recipes.order import (
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


def missing(keyring: str) -> str:
    """What has to be installed before a recipe signed by this keyring can be made, as packages; empty: nothing."""
    lacking = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    file, package = KEYRINGS[keyring]
    return " ".join(sorted(lacking | (set() if Path(file).is_file() else {package})))


def check_tools(keyring: str) -> None:
    """Raise ApplianceError ``recipe-tools-missing``."""
    if lacking := missing(keyring):
        text = f"images cannot be made by this recipe here: {lacking} is not installed"
        raise ApplianceError("recipe-tools-missing", text, f"install it: apt-get install {lacking}")


class Building:
    """One of them."""

    def __init__(self, place: Path, temporary: str = TEMPORARY) -> None:
        self._place, self._temporary = place, temporary
        self._share, self._last = 0.0, deque[str](maxlen=LAST_LINES)
        self._order = msgspec.json.decode((place / ORDER).read_bytes(), type=Order)

    def run(self) -> None:
        """Until the image is there.

        Raises ApplianceError ``recipe-tools-missing``, ``recipe-no-room``, ``recipe-too-long``, ``recipe-failed``.
        """
        check_tools(self._order.recipe.keyring)
        self._check_room()
        (self._place / "sources.list").write_text(sources_list(self._order.recipe))
        try:
            asyncio.run(self._within_room())
            command.fed(packed(self._place), {}, self._pieces(), limit(self._order))
        except ApplianceError as error:
            raise self._explained(error) from error
        except OSError as error:
            raise self._no_room() from error
        finally:
            (self._place / TREE).unlink(missing_ok=True)

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
        found = [statvfs(each) for each in (self._temporary, self._place)]
        return any(each.f_bavail * each.f_frsize < RESERVE for each in found)

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

    def _pieces(self) -> Iterator[bytes]:
        """The tree, as it is packed."""
        size = (self._place / TREE).stat().st_size
        self._share = TREE_DONE
        self._say(f"packing {size / 1e6:.0f} MB of files")
        with (self._place / TREE).open("rb") as tree:
            while piece := tree.read(PIECE):
                if tree.tell() % (64 * PIECE) < PIECE:
                    self._check_room()
                    self._share = TREE_DONE + (1 - TREE_DONE) * tree.tell() / size
                    self._say(f"packing {size / 1e6:.0f} MB of files")
                yield piece

    def _explained(self, error: ApplianceError) -> ApplianceError:
        if error.code == "program-stuck":
            text = f"it was not done after {self._order.recipe.minutes} minutes"
            return ApplianceError("recipe-too-long", text, "give it more minutes, or a mirror that is nearer")
        if error.code != "program-failed":
            return error
        if self._is_full():  # tar2sqfs ends without a word then
            return self._no_room()
        if self._share >= TREE_DONE:
            return ApplianceError("recipe-failed", f"the files could not be packed: {error.message[-500:]}")
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
