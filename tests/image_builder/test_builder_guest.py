"""The guest of tests: what goes into it, short of building it."""

import subprocess
from pathlib import Path

import pytest
from builder import cache, cli, cpio, guest, guest_python


def test_its_python_has_what_the_product_needs_and_what_tests_need():
    names = {line.partition(">")[0] for line in guest_python.requirements()}
    assert {"aiohttp", "msgspec", "pytest", "pytest-asyncio"} <= names
    assert not any(line.startswith("#") for line in guest_python.requirements())


def test_another_dependency_is_another_guest(monkeypatch):
    before = guest.name()
    monkeypatch.setattr(guest_python, "requirements", lambda: ["something>=1"])
    assert guest.name() != before


def test_packages_are_for_its_python_and_never_compiled_here(tmp_path):
    line = " ".join(map(str, guest_python.command(tmp_path)))
    assert "--python-version 3.13" in line
    assert "--only-binary=:all:" in line


def test_the_first_stage_loads_modules_in_their_order(tmp_path):
    (tmp_path / "early").mkdir()
    for name in ("12-overlay.ko", "10-virtio.ko", "11-virtio_blk.ko"):
        (tmp_path / "early" / name).write_bytes(name.encode())
    (tmp_path / "busybox").write_bytes(b"busybox")
    made = guest.initrd(tmp_path)
    places = [made.index(f"early/{name}".encode()) for name in ("10-virtio.ko", "11-virtio_blk.ko", "12-overlay.ko")]
    assert places == sorted(places)
    assert made.endswith(cpio.archive([])[-8:])


@pytest.mark.parametrize("script", ["init", "finish"])
def test_its_scripts_can_be_read_by_a_shell(script):
    subprocess.run(["sh", "-n", str(guest.RECIPE / script)], check=True)


def test_it_is_built_by_name_only(monkeypatch, tmp_path: Path, capsys):
    asked = []
    monkeypatch.setattr(cli, "BUILDERS", {"stack": lambda _: tmp_path})
    monkeypatch.setattr(cli, "OTHERS", {"guest": lambda kept: asked.append(kept) or tmp_path})
    assert cli.main(["all", "--cache", str(tmp_path)]) == 0
    assert asked == []
    assert cli.main(["guest", "--cache", str(tmp_path)]) == 0
    assert asked == [tmp_path]
    assert cache.SOURCE in guest.RECIPE.parents
