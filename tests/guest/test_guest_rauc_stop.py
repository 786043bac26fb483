"""An installation that is ended in the middle, with RAUC's own service: the slot is bad, and the next one goes well."""

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.privileged import update
from appliance.privileged.computer import Computer, Roots
from appliance.privileged.trial import installing
from appliance.privileged.update_record import kept_record
from appliance.privileged.verbs.update import Install, Stop
from appliance.updates.grubenv import parse, render
from appliance.updates.record import Stage
from tests.guest.inside.disks import Disks
from tests.guest.inside.programs import run

pytestmark = pytest.mark.guest
SYSTEM = """
[system]
compatible=qrm-appliance-amd64
bootloader=grub
grubenv={grubenv}
bundle-formats=verity
[keyring]
path={keyring}
[slot.rootfs.0]
device={a}
type=raw
bootname=A
[slot.rootfs.1]
device={b}
type=raw
bootname=B
"""
MANIFEST = "[update]\ncompatible=qrm-appliance-amd64\nversion={version}\n[bundle]\nformat=verity\n{image}"
OVERRIDE = "[Service]\nExecStart=\nExecStart=/usr/bin/rauc --mount=/run/rauc --override-boot-slot=A service\n"
ENDED = Path("image-builder/appliance/root/usr/lib/systemd/system/rauc.service.d/10-ended.conf")
IMAGE_SIZE = 400 << 20
"""Written to a disk that takes 20 MB a second, which leaves time to end it."""


def bundle(directory: Path, name: str, version: str, size: int) -> Path:
    """A signed one with an image that cannot be made smaller."""
    content = directory / f"content-{name}"
    content.mkdir()
    with (content / "rootfs.img").open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    manifest = MANIFEST.format(version=version, image="[image.rootfs]\nfilename=rootfs.img\n")
    (content / "manifest.raucm").write_text(manifest)
    run("rauc", "bundle", "--cert=cert.pem", "--key=key.pem", content, f"{name}.raucb", cwd=directory)
    return directory / f"{name}.raucb"


def service(directory: Path, disks: Disks) -> Path:
    """RAUC's service for two slots on scratch disks; the file of the boot loader's variables."""
    key = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=guest", "-days", "2"]
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *key, cwd=directory
    )
    grubenv = directory / "boot/efi/qrm/grubenv"
    grubenv.parent.mkdir(parents=True)
    grubenv.write_bytes(render({"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "1", "B_TRY": "0"}))
    a, b = disks.scsi[:2]
    system = SYSTEM.format(grubenv=grubenv, keyring=directory / "cert.pem", a=a, b=b)
    Path("/etc/rauc").mkdir(exist_ok=True)
    Path("/etc/rauc/system.conf").write_text(system)
    overrides = Path("/run/systemd/system/rauc.service.d")
    overrides.mkdir(parents=True, exist_ok=True)
    (overrides / "test.conf").write_text(f"{OVERRIDE}IOWriteBandwidthMax={b} 20M\n")
    shutil.copy(ENDED, overrides)
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "rauc.service")
    return grubenv


@pytest.mark.timeout(600)
async def test_writing_is_ended_and_the_slot_is_not_started(tmp_path: Path, disks: Disks) -> None:
    grubenv = service(tmp_path, disks)
    on = Computer(Roots.below(tmp_path))
    on.roots.proc.joinpath("cmdline").write_text("rauc.slot=A\n")
    incoming = on.roots.state / update.INCOMING
    incoming.mkdir(parents=True)
    large, small = bundle(tmp_path, "large", "0.5.0", IMAGE_SIZE), bundle(tmp_path, "small", "0.5.1", 1 << 20)
    large.rename(incoming / "update.raucb")
    shares: list[float | None] = []
    writing = asyncio.get_running_loop().create_task(
        update.install(Install("0.5.0"), on, lambda share, _="": shares.append(share))
    )
    while not (await installing(on) and any(share for share in shares)):
        assert not writing.done(), writing
        await asyncio.sleep(0.2)
    began = time.monotonic()
    await update.stop(Stop(), on, lambda *_: None)
    assert time.monotonic() - began < 120
    with pytest.raises(ApplianceError):
        await writing
    assert not await installing(on)
    variables = parse(grubenv.read_bytes())
    assert (variables["B_OK"], variables["ORDER"].split()[0]) == ("0", "A")
    assert (kept_record(on).last or pytest.fail("no record")).stage is Stage.CUT_OFF
    assert "rauc" not in run("cat", "/proc/self/mounts"), "nothing of it is mounted any more"
    small.rename(incoming / "update.raucb")
    await update.install(Install("0.5.1"), on, lambda *_: None)
    variables = parse(grubenv.read_bytes())
    assert (variables["B_OK"], variables["ORDER"].split()[0]) == ("1", "B")
