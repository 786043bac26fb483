"""Each step with a disk that is a file: what it does, what it refuses, what it leaves when it fails."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from agent_bench import MIB, Bench
from fake_appliance import FakeAppliance

from appliance.agent.disk import content, marker
from appliance.agent.disk.partitions import device_of, mounted
from appliance.agent.disk.volumes import read_volumes
from appliance.agent.errors import Abandoned, StepFailed
from appliance.agent.image import download
from appliance.agent.job import Job
from appliance.agent.steps.grow import grow, guid_of
from appliance.agent.steps.prepare_disk import prepare_disk
from appliance.agent.steps.wipe_disk import wipe_disk
from appliance.agent.steps.write_image import write_image
from appliance.agent.wipe.drive import OpenDrive
from appliance.agent.work import run_step

pytestmark = pytest.mark.root
IMAGE = {"size": 24 * MIB, "sector_size": 512}


def fingerprint(bench: Bench, number: int = 0) -> str:
    disk = bench.computer.disks()[number]
    return content.fingerprint(disk, content.read_content(disk))


def failure(step, job: Job) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        run_step(step, job)
    return caught.value


def prepared(bench: Bench, **params: object) -> Job:
    job = bench.job("prepare-disk", content=fingerprint(bench), image=IMAGE, **params)
    prepare_disk(job)
    return job


class TestPrepareDisk:
    def test_clears_what_was_agreed_to(self, bench: Bench, image: Path) -> None:
        path = bench.add_disk(content=image.read_bytes())
        job = bench.job("prepare-disk", content=fingerprint(bench), image=IMAGE)
        outcome = prepare_disk(job)
        said = outcome.result["disk"]
        assert said["serial"] == "SERIAL0"
        assert said["content"]["empty"]
        assert "attempt-1" in said["content"]["summary"]
        assert marker.decode(path.read_bytes()[:512]) == "attempt-1"
        assert not any(path.read_bytes()[512 : 2 * MIB])
        assert subprocess.run(["wipefs", "-n", str(path)], capture_output=True, check=True).stdout == b""

    def test_the_appliance_knows_of_the_mark_before_anything_else_is_lost(self, bench: Bench, image: Path) -> None:
        path = bench.add_disk(content=image.read_bytes())
        job, seen = bench.job("prepare-disk", content=fingerprint(bench), image=IMAGE), []
        job.send = lambda where, body: seen.append((where, body, path.read_bytes()))
        prepare_disk(job)
        ((where, said, then),) = seen
        assert (where, said["step"], said["status"]) == ("report", "prepare-disk", "running")
        assert 0 < said["progress"] < 0.01
        assert marker.decode(then[:512]) == "attempt-1"
        assert then[512:] == image.read_bytes().ljust(len(then), b"\0")[512:]

    def test_a_disk_that_is_refused_is_not_told_of_as_given_up(self, bench: Bench, image: Path) -> None:
        bench.add_disk(content=image.read_bytes())
        assert failure(prepare_disk, bench.job("prepare-disk", content="0" * 64, image=IMAGE)).code == "disk-changed"
        assert (bench.sent, [done for done, _ in bench.told if done > 0]) == ([], [])

    def test_refuses_a_disk_with_other_content(self, bench: Bench, image: Path) -> None:
        path = bench.add_disk(content=image.read_bytes())
        before = hashlib.sha256(path.read_bytes()).digest()
        error = failure(prepare_disk, bench.job("prepare-disk", content="0" * 64, image=IMAGE))
        assert error.code == "disk-changed"
        assert "GPT with ext4 'root'" in error.message
        assert hashlib.sha256(path.read_bytes()).digest() == before

    def test_refuses_a_disk_with_content_when_nothing_was_agreed(self, bench: Bench) -> None:
        bench.add_disk(content=b"letters of somebody")
        assert failure(prepare_disk, bench.job("prepare-disk", image=IMAGE)).code == "disk-changed"

    def test_takes_an_empty_disk_whatever_was_there_before(self, bench: Bench) -> None:
        bench.add_disk()
        prepare_disk(bench.job("prepare-disk", content="0" * 64, image=IMAGE))

    def test_takes_what_its_own_deployment_wrote(self, bench: Bench) -> None:
        bench.add_disk(content=b"what the deployed system wrote since")
        prepare_disk(bench.job("prepare-disk", content="0" * 64, owned=True, image=IMAGE))

    def test_goes_on_where_the_same_attempt_was_broken_off(self, bench: Bench, image: Path) -> None:
        half = marker.encode("attempt-1") + image.read_bytes()[512:]
        bench.add_disk(content=half)
        assert failure(prepare_disk, bench.job("x", "attempt-2", content="0" * 64, image=IMAGE)).code == "disk-changed"
        assert prepare_disk(bench.job("x", content="0" * 64, image=IMAGE)).result["disk"]["content"]["empty"]

    def test_too_small(self, bench: Bench) -> None:
        bench.add_disk(size=23 * MIB)
        error = failure(prepare_disk, bench.job("prepare-disk", image=IMAGE))
        assert error.code == "disk-too-small"
        assert str(24 * MIB) in error.message
        assert str(23 * MIB) in error.message

    def test_sectors_of_4096_bytes(self, bench: Bench) -> None:
        path = bench.add_disk(sector_size=4096)
        assert failure(prepare_disk, bench.job("prepare-disk", image=IMAGE)).code == "sector-size"
        assert not any(path.read_bytes())

    def test_an_image_for_4096_on_such_a_disk(self, bench: Bench) -> None:
        bench.add_disk(sector_size=4096)
        prepare_disk(bench.job("prepare-disk", image={**IMAGE, "sector_size": 4096}))

    def test_missing_ambiguous_read_only_replaced(self, bench: Bench) -> None:
        bench.add_disk(serial="TWIN")
        bench.add_disk(serial="TWIN")
        bench.add_disk(read_only=True, serial="LOCKED")
        for serial, size, code in (
            ("GONE", None, "disk-missing"),
            ("TWIN", None, "disk-ambiguous"),
            ("LOCKED", None, "disk-read-only"),
            ("LOCKED", 1, "disk-changed"),
            ("", None, "bad-params"),
        ):
            disk = {"serial": serial, "wwn": "", "size": size}
            assert failure(prepare_disk, bench.job("prepare-disk", disk=disk, image=IMAGE)).code == code

    def test_a_disk_in_use_is_left_alone(self, bench: Bench, tmp_path: Path) -> None:
        path = bench.add_disk()
        subprocess.run(["mke2fs", "-q", str(path)], check=True)
        point = tmp_path / "point"
        point.mkdir()
        subprocess.run(["mount", str(bench.computer.disks()[0].device), str(point)], check=True)
        try:
            job = bench.job("prepare-disk", content=fingerprint(bench), image=IMAGE)
            error = failure(prepare_disk, job)
        finally:
            subprocess.run(["umount", str(point)], check=True)
        assert error.code == "disk-in-use"
        assert path.read_bytes()[1080:1082] == b"\x53\xef", "the file system is still there"

    @pytest.mark.parametrize("params", [{"image": None}, {"image": {"size": "big", "sector_size": 512}}, {"disk": 7}])
    def test_bad_params(self, bench: Bench, params: dict[str, object]) -> None:
        bench.add_disk()
        assert failure(prepare_disk, bench.job("prepare-disk", **params)).code == "bad-params"


@pytest.fixture
def target(bench: Bench) -> Path:
    """A disk full of old data but for its ends, prepared by attempt-1."""
    path = bench.add_disk(content=b"\xa5" * 48 * MIB)
    prepared(bench)
    with path.open("r+b") as file:  # what a disk that cannot discard still holds
        file.seek(MIB)
        file.write(b"\xa5" * 46 * MIB)
    return path


def image_params(appliance: FakeAppliance, stored: bytes, form: str, **changes: object) -> dict[str, object]:
    return {**appliance.add_image("demo", stored), "format": form, "size": 24 * MIB, **changes}


def compressed(image: Path) -> bytes:
    return subprocess.run(["zstd", "-q", "-c", str(image)], capture_output=True, check=True).stdout


def cannot_boot(path: Path) -> bool:
    first = path.read_bytes()[: 1 * MIB]
    return marker.decode(first[:512]) == "attempt-1" and not any(first[512:])


class TestWriteImage:
    @pytest.mark.parametrize("form", ["raw", "raw.zst"])
    def test_writes_every_byte_also_the_zeros(
        self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path, form: str
    ) -> None:
        stored = compressed(image) if form == "raw.zst" else image.read_bytes()
        outcome = write_image(bench.job("write-image", image=image_params(appliance, stored, form)))
        assert outcome.result == {"bytes": 24 * MIB}
        assert target.read_bytes()[: 24 * MIB] == image.read_bytes()
        assert bench.told

    def test_resumes_after_broken_connections(
        self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path
    ) -> None:
        appliance.break_after = [0, 5 * MIB + 11, 0, 1, 3 * MIB]
        write_image(bench.job("write-image", image=image_params(appliance, image.read_bytes(), "raw")))
        assert target.read_bytes()[: 24 * MIB] == image.read_bytes()
        ranges = [call.headers.get("Range") for call in appliance.calls]
        assert ranges[2] == f"bytes={5 * MIB + 11}-"

    def test_gives_up_on_connections_that_bring_nothing(
        self,
        bench: Bench,
        appliance: FakeAppliance,
        image: Path,
        target: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(download, "PATIENCE", 0.3)
        appliance.break_after = [5 * MIB] + [0] * 1000
        error = failure(write_image, bench.job("write-image", image=image_params(appliance, image.read_bytes(), "raw")))
        assert error.code == "download-failed"
        assert f"after {5 * MIB} of {24 * MIB} bytes" in error.message
        assert cannot_boot(target)
        fraction, words = bench.told[-1]
        assert words.startswith("waiting for the image: "), "the appliance hears that we live"
        assert fraction > 0, "and that nothing was lost"

    def test_wrong_checksum(self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path) -> None:
        for form, stored in (("raw", image.read_bytes()), ("raw.zst", compressed(image))):
            params = image_params(appliance, stored, form, stored_sha256="0" * 64)
            assert failure(write_image, bench.job("write-image", image=params)).code == "checksum-differs"
            assert cannot_boot(target)

    def test_an_image_shorter_than_promised(
        self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path
    ) -> None:
        stored = compressed(image)
        params = image_params(appliance, stored[:-100], "raw.zst", stored_size=len(stored))
        assert failure(write_image, bench.job("write-image", image=params)).code == "download-truncated"
        assert cannot_boot(target)

    def test_stored_bytes_that_cannot_be_unpacked(
        self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path
    ) -> None:
        params = image_params(appliance, b"this is not zstd" * 1000, "raw.zst")
        assert failure(write_image, bench.job("write-image", image=params)).code == "image-corrupt"
        assert cannot_boot(target)

    @pytest.mark.parametrize("size", [23 * MIB, 25 * MIB])
    def test_an_image_that_unpacks_to_another_size(
        self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path, size: int
    ) -> None:
        params = image_params(appliance, compressed(image), "raw.zst", size=size)
        assert failure(write_image, bench.job("write-image", image=params)).code == "image-corrupt"
        assert cannot_boot(target)

    def test_a_wrong_download_token(self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path) -> None:
        params = image_params(appliance, image.read_bytes(), "raw", token="stolen")
        assert failure(write_image, bench.job("write-image", image=params)).code == "download-refused"

    def test_a_disk_that_nobody_prepared(self, bench: Bench, appliance: FakeAppliance, image: Path) -> None:
        path = bench.add_disk(content=b"letters of somebody")
        params = image_params(appliance, image.read_bytes(), "raw")
        assert failure(write_image, bench.job("write-image", image=params)).code == "disk-changed"
        assert path.read_bytes().startswith(b"letters of somebody")

    def test_prepared_by_another_attempt(
        self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path
    ) -> None:
        params = image_params(appliance, image.read_bytes(), "raw")
        job = bench.job("write-image", "attempt-2", image=params)
        assert failure(write_image, job).code == "disk-changed"

    def test_again_after_the_report_was_lost(
        self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path
    ) -> None:
        for _ in range(2):
            write_image(bench.job("write-image", image=image_params(appliance, image.read_bytes(), "raw")))
        assert target.read_bytes()[: 24 * MIB] == image.read_bytes()

    def test_abandoned_in_the_middle(self, bench: Bench, appliance: FakeAppliance, image: Path, target: Path) -> None:
        def no_longer(fraction: float, message: str) -> None:
            raise Abandoned

        job = bench.job("write-image", image=image_params(appliance, compressed(image), "raw.zst"))
        job.tell = no_longer
        with pytest.raises(Abandoned):
            run_step(write_image, job)
        assert cannot_boot(target)

    def test_a_disk_that_fails_in_mid_write(self, bench: Bench, appliance: FakeAppliance, tmp_path: Path) -> None:
        """The file of the disk has no room left: writes to the loop device end in I/O errors."""
        small = bench.directory / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(small)], check=True)
        try:
            disks = bench.settings["disks"]
            assert isinstance(disks, list)
            disks.append({"file": "small/disk.img", "serial": "SERIAL0"})
            (small / "disk.img").touch()
            os.truncate(small / "disk.img", 48 * MIB)
            prepared(bench)
            params = image_params(appliance, os.urandom(24 * MIB), "raw")
            error = failure(write_image, bench.job("write-image", image=params))
            bench.close()
        finally:
            subprocess.run(["umount", "--lazy", str(small)], check=True)
        assert error.code == "disk-vanished"
        assert "stopped answering" in error.message


class TestGrow:
    @pytest.mark.parametrize("filesystem", ["ext4", "xfs", "btrfs"])
    def test_the_last_partition_and_its_file_system(self, bench: Bench, tmp_path: Path, filesystem: str) -> None:
        make = {"ext4": ["mke2fs", "-q", "-t", "ext4"], "xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"]}
        path = bench.add_disk(size=1024 * MIB, content=disk_with(make[filesystem], tmp_path, 400 * MIB, "gpt"))
        outcome = grow(bench.job("grow"))
        assert outcome.result["grown"] == 2
        assert outcome.result["size"] > 1015 * MIB
        assert outcome.result["disk_guid"] == guid_of("attempt-1")
        assert filesystem_bytes(bench, tmp_path) > 600 * MIB
        assert subprocess.run(["sgdisk", "-v", str(path)], capture_output=True, text=True).stdout.count("No problems")
        again = grow(bench.job("grow"))
        assert again.result == outcome.result

    def test_a_dos_table(self, bench: Bench, tmp_path: Path) -> None:
        bench.add_disk(size=128 * MIB, content=disk_with(["mke2fs", "-q", "-t", "ext4"], tmp_path, 32 * MIB, "dos"))
        outcome = grow(bench.job("grow"))
        assert outcome.result["grown"] == 2
        assert outcome.result["disk_guid"] is None
        assert filesystem_bytes(bench, tmp_path) > 100 * MIB

    def test_a_last_partition_with_something_else_stays(self, bench: Bench, tmp_path: Path) -> None:
        bench.add_disk(size=128 * MIB, content=disk_with(["mkswap"], tmp_path, 32 * MIB, "gpt"))
        assert grow(bench.job("grow")).result["grown"] is None

    def test_a_file_system_without_a_table(self, bench: Bench, tmp_path: Path) -> None:
        path = bench.add_disk(size=64 * MIB)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", str(path), "16M"], check=True)
        outcome = grow(bench.job("grow"))
        assert outcome.result == {"grown": 0, "size": 64 * MIB, "disk_guid": None}
        assert filesystem_bytes(bench, tmp_path) > 50 * MIB


def disk_with(make: list[str], directory: Path, size: int, label: str) -> bytes:
    """A disk image: a small first partition, and one of `size` bytes formatted by `make`."""
    inner, outer = directory / "inner", directory / "outer"
    inner.write_bytes(b"")
    os.truncate(inner, size)
    subprocess.run([*make, str(inner)], check=True, capture_output=True)
    outer.write_bytes(b"")
    os.truncate(outer, size + 4 * MIB)
    script = f"label: {label}\nstart=2048, size=2048\nstart=4096, size={size // 512}\n"
    subprocess.run(["sfdisk", "--quiet", str(outer)], input=script, text=True, check=True)
    with outer.open("r+b") as file:
        file.seek(2 * MIB)
        file.write(inner.read_bytes())
    return outer.read_bytes()


def filesystem_bytes(bench: Bench, tmp_path: Path) -> int:
    disk = bench.computer.disks()[0]
    last = read_volumes(disk)[-1]
    with device_of(disk, last.partition) as device, mounted(device, last.filesystem) as point:
        stat = os.statvfs(point)
        return stat.f_blocks * stat.f_frsize


class TestWipeDisk:
    @pytest.mark.parametrize("method", ["automatic", "discard", "overwrite"])
    def test_nothing_is_left(self, bench: Bench, image: Path, method: str) -> None:
        path = bench.add_disk(content=image.read_bytes() + b"\xa5" * 24 * MIB)
        result = wipe_disk(bench.job("wipe-disk", content=fingerprint(bench), method=method)).result
        assert not any(path.read_bytes())
        assert (result["asked"], result["verified"], result["whole"]) == (method, True, True)
        assert (result["disk"]["serial"], result["bytes_read"]) == ("SERIAL0", 48 * MIB)
        assert result["method"] in ("discard", "overwrite")
        assert method != "overwrite" or result["method"] == "overwrite"
        assert set(result) == RESULT

    def test_sectors_of_4096_bytes_are_wiped(self, bench: Bench) -> None:
        path = bench.add_disk(sector_size=4096, content=b"\xa5" * 3 * MIB)
        wipe_disk(bench.job("wipe-disk", content=fingerprint(bench), method="overwrite"))
        assert not any(path.read_bytes())

    def test_refuses_other_content(self, bench: Bench) -> None:
        path = bench.add_disk(content=b"letters of somebody")
        assert failure(wipe_disk, bench.job("wipe-disk", content="0" * 64)).code == "disk-changed"
        assert path.read_bytes().startswith(b"letters of somebody")

    def test_refuses_a_way_that_it_or_the_disk_does_not_have(self, bench: Bench) -> None:
        path = bench.add_disk(content=b"letters of somebody")
        for method, code in (("burn", "bad-params"), ("sanitize", "wipe-impossible"), ("secure-erase", None)):
            job = bench.job("wipe-disk", content=fingerprint(bench), method=method)
            assert failure(wipe_disk, job).code == (code or "wipe-impossible")
        assert path.read_bytes().startswith(b"letters of somebody")

    def test_an_erase_that_did_nothing_is_a_failure(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        path = bench.add_disk(content=b"letters of somebody" * 100000)
        for name in ("write_zeros", "zero_by_itself", "discard"):
            monkeypatch.setattr(OpenDrive, name, lambda *_, **more: None)
        error = failure(wipe_disk, bench.job("wipe-disk", content=fingerprint(bench)))
        assert error.code == "wipe-failed"
        assert "SERIAL0" in error.message
        assert marker.decode(path.read_bytes()[:512]) == "attempt-1", "the next try knows that this one began"
        monkeypatch.undo()
        wipe_disk(bench.job("wipe-disk", "attempt-2", content="0" * 64, begun=["attempt-1"]))
        assert not any(path.read_bytes())


RESULT = {
    "disk", "asked", "method", "verified", "seconds", "bytes_read", "whole", "zeros", "hidden_bytes", "tried",
    "left_out",
}  # fmt: skip
