"""``qrm update upload`` over a bad line: it goes on by itself, and in a later run."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from typing import cast

import pytest
from cli_world import Cli, open_cli

from appliance.cli.client import Api
from appliance.cli.pieces import Files, Part, Sending
from appliance.cli.update_upload import UPLOAD
from appliance.errors import Invalid
from appliance.updates.record import Record, Stage, Update, begin
from tests.privileged.paper_box import Box, keep_record
from tests.privileged.paper_computer import serving

SIZE = 6_000_000
CHUNK = 1 << 16


@dataclass
class BadLine:
    """Lies between ``qrm`` and the appliance; a connection ends after so many bytes towards the appliance."""

    target: int
    cuts: list[int] = field(default_factory=list)
    """One for each further connection that carries much; none left: connections last."""
    carried: int = 0
    stored: Callable[[], int] = int
    """Bytes of the upload that are at the appliance: it is cut off once some of what it carried is."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inward, outward = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            async with asyncio.TaskGroup() as group:
                back = group.create_task(self._back(inward, writer))
                await self._forth(reader, outward)
                back.cancel()
        finally:
            outward.transport.abort()
            writer.transport.abort()

    async def _forth(self, reader: asyncio.StreamReader, outward: asyncio.StreamWriter) -> None:
        here, before = 0, self.stored()
        while chunk := await reader.read(CHUNK):
            here += len(chunk)
            self.carried += len(chunk)
            outward.write(chunk)
            await outward.drain()
            if self.cuts and here >= self.cuts[0]:
                while here >= 1_000_000 and self.stored() == before:
                    await asyncio.sleep(0.01)
                self.cuts.pop(0)
                return

    async def _back(self, inward: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await inward.read(CHUNK):
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            return


@dataclass
class World:
    box: Box
    qrm: Cli
    line: BadLine
    file: Path

    @property
    def part(self) -> Path:
        return self.box.bundle.parent / "upload.part"


@asynccontextmanager
async def world_in(directory: Path) -> AsyncIterator[World]:
    box = Box(directory / "box")
    box.bundle.unlink()
    state = box.bundle.parent.parent
    async with serving(directory, box.computer) as privileged, open_cli(state, privileged) as qrm:
        line = BadLine(int(qrm.url.rpartition(":")[2]))
        server = await asyncio.start_server(line, "127.0.0.1", 0)
        bad = replace(qrm, url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", config=directory / "config")
        await bad.log_in()
        file = directory / "new.raucb"
        file.write_bytes(os.urandom(SIZE))
        async with server:
            made = World(box, bad, line, file)
            line.stored = lambda: made.part.stat().st_size if made.part.exists() else 0
            yield made


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path) as made:
        yield made


async def test_it_goes_on_by_itself(world: World) -> None:
    world.line.cuts[:] = [2_000_000, 1_500_000]
    ended = await world.qrm.run("update", "upload", str(world.file))
    assert "version 0.5.0" in ended.out
    assert "the line was lost" in ended.err
    assert "nothing of it is stored" not in ended.err, "what came is kept"
    assert world.box.bundle.read_bytes() == world.file.read_bytes()
    assert world.line.carried < 1.7 * SIZE, "nothing is sent from its beginning again"
    again = await world.qrm.run("update", "upload", str(world.file))
    assert "version 0.5.0" in again.out, "it is here already"


async def test_a_later_run_goes_on(world: World) -> None:
    world.line.cuts[:] = [2_000_000, 1]
    first = await world.qrm.start("update", "upload", str(world.file))
    assert first.stderr is not None
    while b"line was lost" not in await first.stderr.readline():
        continue
    first.kill()
    await first.communicate()
    world.line.cuts.clear()
    status = await world.qrm.run("update", "status")
    assert "new.raucb is half uploaded" in status.out
    world.line.carried = 0
    assert "version 0.5.0" in (await world.qrm.run("update", "upload", str(world.file))).out
    assert world.line.carried < SIZE
    assert world.box.bundle.read_bytes() == world.file.read_bytes()


async def test_another_file_takes_its_place_only_when_asked(world: World) -> None:
    half = '{"of": {"name": "old.raucb", "size": 6000000}, "turn": "1", "by": "bob", "begun": 1.0}'
    (world.box.bundle.parent / "upload.json").write_text(half)
    world.part.write_bytes(b"x" * 1000)
    refused = await world.qrm.run("update", "upload", str(world.file), code=4)
    assert "upload-other" in refused.err
    assert "old.raucb, 1000 of 6000000 bytes, by bob" in refused.err
    assert "version 0.5.0" in (await world.qrm.run("update", "upload", "--replace", str(world.file))).out
    refused = await world.qrm.run("update", "stop-upload", code=4)
    assert "upload-missing" in refused.err
    assert "file-unreadable" in (await world.qrm.run("update", "upload", "/nowhere", code=1)).err


class Gone(io.BytesIO):
    """A file on a stick that is pulled out."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


class Line:
    """An appliance that takes whatever comes."""

    seconds = 0.0
    asked = 0

    def send(self, *_: object) -> dict[str, object]:
        self.asked += 1
        return {"turn": "1", "received": 0, "bundle": None}

    def request(self, _method: str, _path: str, body: Iterable[bytes], _headers: object) -> dict[str, object]:
        return {"turn": "1", "received": len(b"".join(body)), "bundle": None}


def test_a_file_that_cannot_be_read_any_more_is_no_lost_line() -> None:
    line = Line()
    files = Files([Part("new.raucb", cast("BufferedReader", Gone()), 10, 0)])
    sending = Sending(cast("Api", line), UPLOAD, {"name": "new.raucb"}, files, lambda _: None)
    with pytest.raises(Invalid, match="cannot be read any more: Input/output error"):
        sending.all("bundle", replace=False)
    assert line.asked == 1, "it is not tried again"


async def test_nothing_is_sent_to_an_appliance_that_is_on_trial(world: World) -> None:
    trying = Update("A", "0.5.0", "B", "0.4.0", 1.0, Stage.TRYING)
    keep_record(world.box.computer, begin(Record(), trying, 1.0))
    refused = await world.qrm.run("update", "install", str(world.file), code=1)
    assert "update-on-trial" in refused.err
    assert not world.part.exists()
    assert "it is on trial" in (await world.qrm.run("update", "status")).out
