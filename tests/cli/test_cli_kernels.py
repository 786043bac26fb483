"""``qrm kernels``: one out of an image, followed until it is there; one by hand, with its modules."""

import json
import sys
from pathlib import Path

from cli_world import Cli

sys.path.append(str(Path(__file__).parent.parent / "reconcile"))
from kernel_images import OLDER, VERSION, bzimage, tar


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


async def test_one_by_hand_is_given_its_modules_with_it_or_afterwards(qrm: Cli, tmp_path: Path) -> None:
    vmlinuz, modules = tmp_path / "vmlinuz", tmp_path / "modules.tar"
    vmlinuz.write_bytes(bzimage())
    modules.write_bytes(tar())
    done = await qrm.run("kernels", "add", str(vmlinuz), "--name", "one", "--modules", str(modules))
    assert done.out.split("\n")[:2] == ["one is added", "one has its modules"]
    await qrm.run("kernels", "add", str(vmlinuz), "--name", "two")
    assert "two has its modules" in (await qrm.run("kernels", "modules", "two", str(modules))).out
    one, two = [json.loads((await qrm.run("kernels", "show", name, "--json")).out) for name in ("one", "two")]
    assert one["modules_sha256"] == two["modules_sha256"]
    modules.write_bytes(b"something else")
    assert "modules-format" in (await qrm.run("kernels", "modules", "two", str(modules), code=1)).err
    assert "No kernel is half uploaded" in (await qrm.run("kernels", "uploads")).out
    assert "upload-missing" in (await qrm.run("kernels", "stop-upload", "two", "--modules", code=4)).err


async def test_modules_come_from_a_file_or_from_an_address_with_its_checksum(qrm: Cli, tmp_path: Path) -> None:
    vmlinuz = tmp_path / "vmlinuz"
    vmlinuz.write_bytes(bzimage())
    await qrm.run("kernels", "add", str(vmlinuz), "--name", "one")
    url = "https://127.0.0.1/modules.tar"
    assert "--sha256" in (await qrm.run("kernels", "modules", "one", "--url", url, code=2)).err
    await qrm.run("kernels", "modules", "one", code=2)
    await qrm.run("kernels", "modules", "one", str(vmlinuz), "--url", url, code=2)
    refused = await qrm.run("kernels", "modules", "one", "--url", url, "--sha256", "ab" * 32, code=4)
    assert "url-refused" in refused.err
    refused = await qrm.run("kernels", "modules", "maintenance", str(vmlinuz), code=4)
    assert "kernel-unknown" in refused.err
