"""The hand-over initrd and the stack that it lies in, short of building them."""

import json
import lzma
import subprocess
from pathlib import Path

import pytest
from builder import cache, handover, stack

MODULE = handover.RECIPE / "90qrm-root"


def test_another_script_is_another_userland_and_no_other_maintenance_stack(monkeypatch, tmp_path):
    before = handover.name(), stack.name(), stack.maintenance_name()
    real = cache.inputs
    monkeypatch.setattr(cache, "inputs", lambda modules, *folders: {**real(modules, *folders), **changed(folders)})
    after = handover.name(), stack.name(), stack.maintenance_name()
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, True, False]


def changed(folders: tuple[Path, ...]) -> dict[str, bytes]:
    return {"90qrm-root/new": b""} if handover.RECIPE in folders else {}


def test_every_kernel_since_2010_can_unpack_it():
    packed = handover.compressed(b"cpio")
    assert lzma.decompress(packed) == b"cpio"
    assert packed[7] == lzma.CHECK_CRC32, (
        "the kernel's decompressor knows no other check (Documentation/staging/xz.rst)"
    )


@pytest.mark.parametrize(
    "path", sorted(path for path in MODULE.iterdir() if path.suffix != ".jq"), ids=lambda path: path.name
)
def test_scripts_can_be_read_by_a_shell(path):
    shell = "bash" if path.read_text().startswith("#!/bin/bash") else "dash"
    subprocess.run([shell, "-n", str(path)], check=True)


def test_everything_of_the_module_goes_into_it():
    listed = (MODULE / "module-setup.sh").read_text()
    names = {path.name for path in MODULE.iterdir()} - {"module-setup.sh"}
    assert {name for name in names if name not in listed} == set()


def test_the_stack_names_its_files_in_the_order_to_load_them(tmp_path):
    picked, userland, into = (tmp_path / name for name in ("picked", "userland", "into"))
    for folder, names in ((picked, ("vmlinuz", "initrd", stack.MODULES)), (userland, (handover.USERLAND,)), (into, ())):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name)
    (picked / "stack.json").write_text(json.dumps({"kernel": "6.12"}))
    (userland / "handover.json").write_text(json.dumps({"bytes": 8, "packages": {"curl": "8"}}))
    stack.put_together(into, picked, userland)
    told = json.loads((into / "stack.json").read_text())
    assert told["handover"]["initrd"] == ["handover", "handover-modules"]
    assert told["handover"]["bytes"] == {"handover": 8, "handover-modules": 16}
    assert sorted(path.name for path in into.iterdir()) == [
        "handover",
        "handover-modules",
        "initrd",
        "stack.json",
        "vmlinuz",
    ]
