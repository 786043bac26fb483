"""Names of every kind find files inside the root, and nothing else."""

import os
from pathlib import Path

import pytest

from appliance.netboot.tftp import files
from appliance.netboot.tftp.files import DirectoryFiles, MemoryFile, Overlay, RenderedFiles

CLIENT = "10.0.0.9"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "tftp"
    (root / "EFI" / "Boot").mkdir(parents=True)
    (root / "EFI" / "Boot" / "BOOTX64.EFI").write_bytes(b"loader")
    (root / "undionly.kpxe").write_bytes(b"ipxe")
    (tmp_path / "tftp-secret").mkdir()
    (tmp_path / "tftp-secret" / "key").write_bytes(b"secret")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def content(source, name):
    file = source.open(name, CLIENT)
    if file is None:
        return None
    try:
        return file.read(0, file.size)
    finally:
        file.close()


@pytest.mark.parametrize(
    "name",
    [
        "EFI/Boot/BOOTX64.EFI",
        "efi/boot/bootx64.efi",
        "/EFI/Boot/BOOTX64.EFI",
        "//EFI//Boot//BOOTX64.EFI",
        "\\EFI\\Boot\\BOOTX64.EFI",
        "./EFI/./Boot/BOOTX64.EFI",
    ],
)
def test_found(root, name):
    assert content(DirectoryFiles(root), name) == b"loader"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        ".",
        "..",
        "../secret",
        "/../secret",
        "..\\secret",
        "EFI/../../secret",
        "EFI/../undionly.kpxe",
        "../tftp-secret/key",
        "undionly.kpxe\0.txt",
        "EFI",
        "EFI/Boot/",
        "undionly.kpxe/x",
        "nothing",
        "x" * 5000,
        "a/" * 500,
        "\ufffd",
        "\n",
    ],
)
def test_not_found(root, name):
    assert content(DirectoryFiles(root), name) is None


def test_absolute_name_is_taken_below_the_root(root, tmp_path):
    assert content(DirectoryFiles(root), str(tmp_path / "secret")) is None
    assert content(DirectoryFiles(root), "/etc/passwd") is None


def test_exact_name_goes_before_other_case(root):
    (root / "Undionly.KPXE").write_bytes(b"other")
    assert content(DirectoryFiles(root), "undionly.kpxe") == b"ipxe"
    assert content(DirectoryFiles(root), "Undionly.KPXE") == b"other"


@pytest.mark.parametrize("target", ["../secret", "../tftp-secret/key", "/etc/passwd", "loop", "missing"])
def test_links_out_of_the_root_are_not_followed(root, target):
    (root / "loop").symlink_to(target)
    assert content(DirectoryFiles(root), "loop") is None


def test_directory_links_out_of_the_root_are_not_followed(root):
    (root / "out").symlink_to("../tftp-secret")
    assert content(DirectoryFiles(root), "out/key") is None
    assert content(DirectoryFiles(root), "OUT/KEY") is None


def test_links_inside_are_followed(root):
    (root / "default").symlink_to("EFI/Boot/BOOTX64.EFI")
    assert content(DirectoryFiles(root), "default") == b"loader"


def test_root_may_be_a_link_itself(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    assert content(DirectoryFiles(tmp_path / "link"), "undionly.kpxe") == b"ipxe"


def test_special_files_are_not_served(root):
    os.mkfifo(root / "pipe")
    assert content(DirectoryFiles(root), "pipe") is None


def test_no_descriptor_is_left_open(root):
    before = len(os.listdir("/proc/self/fd"))
    os.mkfifo(root / "pipe")
    for name in ("pipe", "EFI", "undionly.kpxe", "missing"):
        content(DirectoryFiles(root), name)
    assert len(os.listdir("/proc/self/fd")) == before


def test_missing_root_has_no_files():
    assert content(DirectoryFiles(Path("/nonexistent/tftp")), "a") is None


def test_rendered_files_see_match_and_client():
    source = RenderedFiles({r"(\w+)/autoexec\.ipxe": lambda match, client: f"{match[1]} {client}".encode()})
    assert content(source, "/abc/AUTOEXEC.ipxe") == b"abc 10.0.0.9"
    assert content(source, "abc/autoexec.ipxe.bak") is None
    assert content(source, "../abc/autoexec.ipxe") is None


def test_rendered_file_may_be_absent():
    assert content(RenderedFiles({"x": lambda match, client: None}), "x") is None


def test_overlay_takes_the_first_that_has_it(root):
    overlay = Overlay([RenderedFiles({"undionly.kpxe": lambda match, client: b"ours"}), DirectoryFiles(root)])
    assert content(overlay, "undionly.kpxe") == b"ours"
    assert content(overlay, "efi/boot/bootx64.efi") == b"loader"
    assert content(overlay, "missing") is None


def test_memory_file_reads_at_any_offset():
    file = MemoryFile(b"abcdef")
    assert (file.size, file.read(4, 10), file.read(9, 1)) == (6, b"ef", b"")


def key_of(root, name="undionly.kpxe"):
    file = DirectoryFiles(root).open(name, CLIENT)
    file.close()
    return file.key


def test_a_settled_file_can_be_told_from_all_others_and_from_itself_after_a_change(root, monkeypatch):
    assert key_of(root) is None, "it was written just now: one more change could have the same time"
    monkeypatch.setattr(files, "_SETTLED_NANOSECONDS", -1)
    before = key_of(root)
    assert before == key_of(root)
    assert before != key_of(root, "EFI/Boot/BOOTX64.EFI")
    times = (root / "undionly.kpxe").stat()
    (root / "undionly.kpxe").write_bytes(b"IPXE")
    os.utime(root / "undionly.kpxe", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert key_of(root) != before


def test_what_is_rendered_is_for_one_client_alone():
    assert MemoryFile(b"a machine's own").key is None
