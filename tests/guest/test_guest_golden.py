"""A golden volume on real LVM: what the daemon has made is written by the helper, and its clones may be mounted."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.filesystem import ext4, make
from appliance.filesystem.make import Order
from appliance.filesystem.stored import Stored
from appliance.privileged.lvm_fill_file import PLACE
from appliance.privileged.verbs.lvm_tags import FILE_SYSTEM
from appliance.storage.lvm import LvmPool
from appliance.volume import GRAIN, NewVolume
from tests.contract.lvm_bench import Direct
from tests.contract.storage_bench import ONE, TWO
from tests.guest.inside import lvm_pool
from tests.guest.inside.disks import Disks
from tests.guest.inside.programs import run

pytestmark = [pytest.mark.guest, pytest.mark.timeout(900)]


@pytest.fixture
def lvm(disks: Disks) -> Iterator[Disks]:
    """LVM as the appliance has it."""
    lvm_pool.as_appliance()
    yield disks
    lvm_pool.as_before()


def packed(into: Path) -> Stored:
    """A root of this very system, as far as it is small."""
    path = into / "root.tar"
    with tarfile.open(path, "w") as archive:
        for each in ("etc", "usr", "usr/bin"):
            archive.add(f"/{each}", f"./{each}", recursive=each == "etc")
        archive.add("/usr/bin/tar", "./usr/bin/tar")
    return Stored(path, "tar", path.stat().st_size)


@pytest.mark.parametrize("kind", ["thin", "thick"])
async def test_what_was_made_is_on_the_volume_and_may_be_mounted(lvm: Disks, tmp_path: Path, kind: str) -> None:
    on = lvm_pool.computer()
    group = await lvm_pool.make(on, lvm.scsi[:1], thin=kind == "thin")
    place = on.roots.state.joinpath(*PLACE)
    place.mkdir(parents=True, exist_ok=True)
    image = packed(tmp_path)
    digest = hashlib.sha256(image.path.read_bytes()).hexdigest()
    order = Order(image, digest, place / ONE, ext4.uuid_for(ONE))
    size = await make.make(order, lambda _, __: None, lambda _, __: None)
    pool, heard = LvmPool(Direct(on), group, hears=lambda at, words: heard.append(words)), list[str]()
    await pool.fill(NewVolume(ONE, "golden", size, True), order.target, ext4.KIND)
    await pool.copy(ONE, NewVolume(TWO, "customer1", size + 16 * GRAIN))
    seen = await pool.look()
    golden, clone = seen.volume(ONE), seen.volume(TWO)
    assert golden is not None
    assert clone is not None
    assert (golden.trouble, golden.read_only, clone.trouble, clone.read_only) == ("", True, "", False)
    assert f"{FILE_SYSTEM}={ext4.KIND}" in run("lvs", "--noheadings", "--options", "lv_tags", golden.path)
    assert f"{FILE_SYSTEM}={ext4.KIND}" in run("lvs", "--noheadings", "--options", "lv_tags", clone.path)
    assert run("blkid", "-o", "value", "-s", "UUID", clone.path).strip() == order.uuid
    assert "checking what was written" in heard
    if kind == "thin":
        assert golden.used is not None
        assert golden.used < size // 2, "holes take no room"
    at = tmp_path / "at"
    at.mkdir()
    run("resize2fs", clone.path)
    run("mount", clone.path, str(at))
    try:
        assert (at / "usr/bin/tar").read_bytes() == Path("/usr/bin/tar").read_bytes()
        assert (at / "etc/passwd").read_text() == Path("/etc/passwd").read_text()
        assert (at / "etc/shadow").stat().st_mode == Path("/etc/shadow").stat().st_mode
        (at / "written").write_text("by its machine")
    finally:
        run("umount", str(at))
    run("e2fsck", "-f", "-n", golden.path)
