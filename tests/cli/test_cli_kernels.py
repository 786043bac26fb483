"""``qrm kernels extract``: a kernel out of an image, followed until it is there."""

import sys
from pathlib import Path

from cli_world import Cli

sys.path.append(str(Path(__file__).parent.parent / "reconcile"))
from kernel_images import OLDER, VERSION, tar


async def test_a_kernel_is_taken_out_and_named(qrm: Cli, tmp_path: Path) -> None:
    file = tmp_path / "live.tar"
    file.write_bytes(tar())
    await qrm.run("images", "add", str(file))
    done = await qrm.run("kernels", "extract", "live", "--name", "six")
    assert f"six: kernel {VERSION}, SHA-256 " in done.out
    shown = (await qrm.run("kernels", "show", "six")).out
    assert "modules_sha256" in shown
    refused = await qrm.run("kernels", "extract", "live", "--version", OLDER, code=1)
    assert "has no modules of kernel" in refused.err
    made = await qrm.run("deployments", "create", "kiosk", "--image", "live", "--delivery", "nfs", "--kernel", "six")
    assert "kiosk is made" in made.out
    assert "kernel six" in (await qrm.run("deployments", "show", "kiosk")).out
    assert "kernel-used" in (await qrm.run("kernels", "delete", "six", "--confirm", "six", code=4)).err
    await qrm.run("deployments", "set", "kiosk", "--kernel", "any")
    await qrm.run("kernels", "delete", "six", "--confirm", "six")
