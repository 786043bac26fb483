"""``qrm images add`` and ``qrm kernels add`` over a bad line: they go on by themselves, and in a later run."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cli_world import Cli, open_cli
from test_cli_update_upload import BadLine

SIZE = 512 * 12_000


@dataclass
class World:
    qrm: Cli
    line: BadLine
    file: Path

    @property
    def images(self) -> Path:
        return self.qrm.world.services.state_dir / "images"

    @property
    def part(self) -> Path:
        return self.images / "arriving" / "disk.part"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "state").mkdir()
    async with open_cli(tmp_path / "state") as qrm:
        line = BadLine(int(qrm.url.rpartition(":")[2]))
        server = await asyncio.start_server(line, "127.0.0.1", 0)
        bad = replace(qrm, url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", config=tmp_path / "config")
        await bad.log_in()
        file = tmp_path / "disk.raw"
        file.write_bytes(os.urandom(SIZE))
        async with server:
            made = World(bad, line, file)
            line.stored = lambda: made.part.stat().st_size if made.part.exists() else 0
            yield made


async def test_an_image_goes_on_by_itself(world: World) -> None:
    world.line.cuts[:] = [2_000_000, 1_500_000]
    ended = await world.qrm.run("images", "add", str(world.file))
    assert hashlib.sha256(world.file.read_bytes()).hexdigest() in ended.out
    assert "the line was lost" in ended.err
    assert world.line.carried < 1.7 * SIZE, "nothing is sent from its beginning again"
    assert (world.images / "1").read_bytes() == world.file.read_bytes()


async def test_a_later_run_goes_on_and_another_file_is_refused(world: World) -> None:
    world.line.cuts[:] = [2_000_000, 1]
    first = await world.qrm.start("images", "add", str(world.file))
    assert first.stderr is not None
    while b"line was lost" not in await first.stderr.readline():
        continue
    first.kill()
    await first.communicate()
    world.line.cuts.clear()
    assert "disk.raw" in (await world.qrm.run("images", "uploads")).out
    other = world.file.with_name("disk.img")
    other.write_bytes(bytes(SIZE))
    refused = await world.qrm.run("images", "add", str(other), code=4)
    assert "upload-other" in refused.err
    world.line.carried = 0
    assert "disk: 6.1 MB, raw" in (await world.qrm.run("images", "add", str(world.file))).out
    assert world.line.carried < SIZE
    assert (world.images / "1").read_bytes() == world.file.read_bytes()
    assert "No image is half uploaded" in (await world.qrm.run("images", "uploads")).out
    assert "upload-missing" in (await world.qrm.run("images", "stop-upload", "disk", code=4)).err


async def test_what_is_compared_and_what_is_asked_for_is_said(world: World) -> None:
    small = world.file.with_name("small.raw")
    small.write_bytes(bytes(4096))
    wrong = await world.qrm.run("images", "add", str(small), "--sha256", "AB" * 32, code=1)
    assert "upload-differs" in wrong.err
    assert "image-format" in (await world.qrm.run("images", "add", str(small), "--format", "qcow2", code=1)).err
    url = "https://127.0.0.1/disk.raw"
    assert "--sha256" in (await world.qrm.run("images", "add", "--url", url, code=2)).err
    refused = await world.qrm.run("images", "add", "--url", url, "--sha256", "ab" * 32, code=4)
    assert "url-refused" in refused.err
    await world.qrm.run("images", "add", str(small), "--url", url, code=2)
    await world.qrm.run("images", "add", code=2)


async def test_a_kernel_goes_on_too(world: World) -> None:
    vmlinuz = world.file.with_name("vmlinuz")
    vmlinuz.write_bytes(bytes(0x202) + b"HdrS" + bytes(1000))
    part = world.images.parent / "kernels" / "arriving" / "six.part"
    world.line.stored = lambda: part.stat().st_size if part.exists() else 0
    world.line.cuts[:] = [3_000_000]
    ended = await world.qrm.run("kernels", "add", str(vmlinuz), "--initrd", str(world.file), "--name", "six")
    assert "six is added" in ended.out
    assert "the line was lost" in ended.err
    kernels = world.images.parent / "kernels"
    assert (kernels / "1.vmlinuz").read_bytes() == vmlinuz.read_bytes()
    assert (kernels / "1.initrd").read_bytes() == world.file.read_bytes()
    assert "No kernel is half uploaded" in (await world.qrm.run("kernels", "uploads")).out
    assert "upload-missing" in (await world.qrm.run("kernels", "stop-upload", "six", code=4)).err
