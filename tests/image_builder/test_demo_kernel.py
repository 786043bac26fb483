"""The kernel of a real system, Debian's in the demo image: taken out, with what network roots need of its modules."""

import gzip
import json
import subprocess

import pytest
from builder import cache, demo

from appliance.catalogue import Image, ImageId, zstd_content_size
from appliance.imageformat.kernels import kernels_in
from appliance.reconcile.image_kernels import source, taking

NEEDED = (
    "drivers/net/virtio_net", "drivers/net/ethernet/intel/e1000e/e1000e", "fs/nfs/nfsv4", "fs/squashfs/squashfs",
    "fs/overlayfs/overlay", "drivers/scsi/iscsi_tcp",
)  # fmt: skip
"""Modules of Debian's kernel that a root on the network cannot do without, somewhere."""


@pytest.mark.slow  # it may have to build that image
@pytest.mark.timeout(1800)
def test_debians_kernel_is_taken_out_of_the_demo_image(tmp_path):
    built = demo.build(cache.default_directory())
    said = json.loads((built / "image.json").read_text())
    path = built / "image.raw.zst"
    with path.open("rb") as stored:
        size = zstd_content_size(stored)
    image = Image(ImageId(1), said["name"], "", "raw.zst", size, path.stat().st_size, "", 512, 0.0)
    told = []
    with source.opened(image, path, tmp_path / "scratch", told.append) as there:
        kernel = taking.chosen(kernels_in(there.names), "", image.name)
        taken = taking.taken(there, kernel, told.append)
    assert not (tmp_path / "scratch").exists()
    assert (taken.notes, taken.vmlinuz[0x202:0x206]) == ((), b"HdrS")
    held = subprocess.run(
        ["cpio", "-t", "--quiet"], input=gzip.decompress(taken.modules), capture_output=True, check=True
    )
    names = held.stdout.decode()
    for module in NEEDED:
        assert f"usr/lib/modules/{taken.version}/kernel/{module}.ko" in names, module
    assert f"usr/lib/modules/{taken.version}/modules.dep.bin" in names
    assert "drivers/gpu" not in names
    assert max(told) <= 1.0
