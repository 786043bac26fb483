"""Looks into a file that is to be an image, with the programs that unpack it: bounded, and ended when nobody waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from appliance.command import streamed
from appliance.imageformat.found import HEAD, Found
from appliance.imageformat.recognise import Told, check_asked, recognised

UNPACK = ("zstd", "--decompress", "--stdout", "--quiet")
WINDOW = "--long=31"
"""As the agent does it: what it takes, an upload may be. Of its first bytes only little of that is ever used."""
MEMORY = "--memory=256MB"
"""For what is read to its end; ``zstd --ultra -22`` needs 128 MiB."""
HEAD_SECONDS, ALL_SECONDS = 30.0, 4 * 3600.0


def looked_at(path: Path, asked: str, told: Told) -> Found:
    """What a file is; blocks. ``asked`` is the format that was said, empty: none.

    Raises Invalid as ``recognised`` does, ApplianceError ``program-missing``, and what ``told`` raises.
    """

    @contextmanager
    def unpack(whole: bool) -> Iterator[IO[bytes]]:
        argv = [*UNPACK, MEMORY if whole else WINDOW, str(path)]
        with streamed(argv, ALL_SECONDS if whole else HEAD_SECONDS) as output:
            yield output

    with path.open("rb") as stored:
        if asked:
            check_asked(stored.read(HEAD), asked)
        return recognised(stored, path.stat().st_size, unpack, told, _unzstd)


def _unzstd(block: bytes, most: int) -> bytes:
    with TemporaryFile() as given:
        given.write(block)
        given.seek(0)
        with streamed([*UNPACK, MEMORY], HEAD_SECONDS, given) as output:
            return output.read(most)
