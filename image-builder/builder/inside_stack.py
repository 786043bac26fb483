"""Runs inside the full tree, as root, and picks the maintenance stack's root out of it.

Called as `python3 -m builder.inside_stack INPUT OUTPUT`: INPUT holds the recipe `stack` and what is common with the
appliance, OUTPUT gets
`tree` (the new root), `early` (what the first initrd stage needs), `vmlinuz`, `handover-modules` and `facts.json`.
"""

import compileall
import json
import lzma
import os
import shutil
import subprocess
import sys
from pathlib import Path

from appliance.kernel_modules import choosing

from . import kernel_modules, trim

ROOT = Path("/")
EARLY_MODULES = ("loop", "squashfs", "overlay")
TREES = (
    "etc/lvm", "etc/iscsi", "etc/modprobe.d", "etc/nfs.conf", "etc/netconfig", "etc/request-key.conf",
    "etc/request-key.d", "etc/protocols", "etc/mke2fs.conf", "etc/ssh/moduli", "etc/debian_version",
    "usr/lib/os-release", "usr/lib/openssh", "usr/lib/modprobe.d", "usr/lib/python3.13", "usr/lib/udev",
    "usr/lib/systemd/systemd-udevd",
    "usr/share/misc/pci.ids", "usr/share/smartmontools", "var/lib/smartmontools",
    "usr/lib/x86_64-linux-gnu/security", "usr/share/hwdata", "usr/share/nvme-cli",
)  # fmt: skip
# Loaded by name at run time, so no closure finds them.
DLOPENED = ("libnss_files.so.2", "libnss_dns.so.2", "libgcc_s.so.1", "libresolv.so.2", "libkmod.so.2",
            "liblz4.so.1", "liblzma.so.5", "libzstd.so.1", "libblkid.so.1", "libmount.so.1")  # fmt: skip
LIBRARIES = ROOT / "usr/lib/x86_64-linux-gnu"
# Assembling arrays or volume groups that lie on a machine's disks is the user's wish, never a reflex; the
# others serve desktops or call systemd.
UDEV_RULES = (
    "50-udev-default", "50-firmware", "55-dm", "60-block", "60-cdrom_id", "60-persistent-storage",
    "60-persistent-storage-dm", "60-serial", "63-md-raid-arrays", "64-btrfs", "75-net-description",
    "80-drivers", "95-dm-notify", "70-nvmf-keys",
)  # fmt: skip
PYTHON_DROP = (
    "test", "idlelib", "turtle*", "tkinter", "ensurepip", "lib2to3", "pydoc*", "doctest*", "unittest",
    "_pyrepl", "distutils", "venv", "curses", "sqlite3", "xmlrpc", "wsgiref", "dbm", "pdb*", "antigravity*",
    "imaplib*", "mailbox*", "_pydecimal*", "_pydatetime*", "_pyio*", "_aix*", "_ios*", "_android*", "_osx*",
)  # fmt: skip


def run(*command: str) -> str:
    """Standard output of a program of the tree; ends the build when it fails."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(recipes: Path, out: Path) -> None:
    """The whole pick, in order: later steps look at what earlier ones kept."""
    given, tree = recipes / "stack", out / "tree"
    release = next((ROOT / "usr/lib/modules").iterdir()).name
    run("depmod", release)
    modules = keep_modules(release, (given / "modules.list").read_text(), tree)
    firmware = keep_firmware(tree, modules)
    for path in TREES:
        carry(path, tree)
    keep_udev_rules(tree)
    keep_programs(tree, trim.parse_words((given / "programs.list").read_text()))
    keep_python(tree / "usr/lib/python3.13")
    keep_libraries(tree)
    lay_overlay(given / "root", tree)
    link_busybox(tree)
    run("depmod", "-b", str(tree), release)
    early(release, tree, out / "early")
    modules_to_hand_over(release, (recipes / kernel_modules.RULES).read_text(), out / "handover-modules")
    shutil.copyfile(ROOT / "boot" / f"vmlinuz-{release}", out / "vmlinuz")
    installed = sorted(path.name for path in (ROOT / "usr/share/doc").iterdir())
    facts = {"kernel": release, "modules": len(modules), "firmware": firmware, "installed": installed}
    (out / "facts.json").write_text(json.dumps(facts))


def carry(path: str, tree: Path) -> None:
    """Copy a file, link or tree of the full system to the same place in the new one, if it is there."""
    source, target = ROOT / path, tree / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    elif os.path.lexists(source) and not os.path.lexists(target):
        shutil.copy2(source, target, follow_symlinks=False)


def keep_modules(release: str, rules: str, tree: Path) -> list[Path]:
    """Copy the chosen modules, uncompressed: the squash packs them better and nobody unpacks them twice."""
    source, target = ROOT / "usr/lib/modules" / release, tree / "usr/lib/modules" / release
    dependencies = choosing.parse_modules_dep((source / "modules.dep").read_text())
    kept = [
        unpacked(source / path, target / path)
        for path in sorted(choosing.modules_to_keep(dependencies, choosing.parse_rules(rules)))
    ]
    for listing in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copyfile(source / listing, target / listing)
    return kept


def unpacked(source: Path, target: Path) -> Path:
    """The uncompressed copy of a `.ko` or `.ko.xz`."""
    target = target.with_name(target.name.removesuffix(".xz"))
    target.parent.mkdir(parents=True, exist_ok=True)
    data = source.read_bytes()
    target.write_bytes(lzma.decompress(data) if source.suffix == ".xz" else data)
    return target


def keep_firmware(tree: Path, modules: list[Path]) -> int:
    """Copy the firmware files that the modules name; how many there are."""
    base = ROOT / "usr/lib/firmware"
    named = run("modinfo", "-F", "firmware", *map(str, modules)).split()
    available = (str(path.relative_to(base)) for path in base.rglob("*") if not path.is_dir())
    kept = sorted(choosing.firmware_to_keep(named, available))
    for name in kept:
        carry(f"usr/lib/firmware/{name}", tree)
        carry_link_target(base / name, tree)
    return len(kept)


def carry_link_target(path: Path, tree: Path) -> None:
    """Follow a link to the file it stands for, which may have a name that no module knows."""
    if path.is_symlink() and path.exists():
        real = path.resolve()
        carry(str(real.relative_to(ROOT)), tree)
        # Links by way of linked directories would dangle: point straight at the file.
        copy = tree / path.relative_to(ROOT)
        copy.unlink()
        copy.symlink_to(os.path.relpath(real, path.parent))


def keep_udev_rules(tree: Path) -> None:
    """Only the rules that tell devices apart and load their drivers; no hardware names data base."""
    udev = tree / "usr/lib/udev"
    for rules in (udev / "rules.d").iterdir():
        if rules.stem not in UDEV_RULES:
            rules.unlink()
    shutil.rmtree(udev / "hwdb.d")
    for name in ("v4l_id", "mtd_probe", "fido_id", "iocost"):
        (udev / name).unlink(missing_ok=True)


def keep_programs(tree: Path, names: list[str]) -> None:
    """Copy programs by name, with what links beside them point at (`lvs` is `lvm`, `depmod` is `kmod`)."""
    for folder in (ROOT / "usr/bin", ROOT / "usr/sbin"):
        for path in folder.iterdir():
            if path.name in names or (path.is_symlink() and os.path.basename(os.readlink(path)) in names):
                carry(str(path.relative_to(ROOT)), tree)
    present = {path.name for folder in ("usr/bin", "usr/sbin") for path in (tree / folder).iterdir()}
    missing = sorted(set(names) - present)
    if missing:
        sys.exit(f"programs.list: no such program in the installed packages: {' '.join(missing)}")


def keep_python(library: Path) -> None:
    """The standard library without tests and toys, compiled, sources left out: half the size, no parsing."""
    for pattern in PYTHON_DROP:
        for path in library.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(library / "__pycache__", ignore_errors=True)
    compileall.compile_dir(library, quiet=1, legacy=True, optimize=2, stripdir=str(library.parents[2]), maxlevels=9)
    for source in library.rglob("*.py"):
        if source.with_suffix(".pyc").exists():
            source.unlink()


def keep_libraries(tree: Path) -> None:
    """Copy the libraries that kept programs and extension modules need."""
    starts = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink() and is_elf(path)]
    needed = {str(LIBRARIES / name) for name in DLOPENED}
    for path in [*starts, *map(Path, sorted(needed))]:
        needed |= libraries_of(path)
    for name in sorted(needed):
        carry_library(Path(name), tree)


def carry_library(name: Path, tree: Path) -> None:
    """Copy a library and the chain of links that leads to it."""
    path = Path(os.path.realpath(name.parent)) / name.name
    while path.is_symlink():
        carry(str(path.relative_to(ROOT)), tree)
        path = path.parent / os.readlink(path)
    carry(str(path.relative_to(ROOT)), tree)


def is_elf(path: Path) -> bool:
    """Whether it is something that the dynamic loader may have to serve; kernel modules are not."""
    if path.suffix == ".ko":
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def libraries_of(path: Path) -> set[str]:
    """All libraries that loading `path` would load."""
    listing = subprocess.run(
        ["/lib64/ld-linux-x86-64.so.2", "--list", path], check=False, capture_output=True, text=True
    )
    return trim.parse_ldd(listing.stdout)


def lay_overlay(overlay: Path, tree: Path) -> None:
    """Our own files, then the links and empty places that a root file system has."""
    shutil.copytree(overlay, tree, symlinks=True, dirs_exist_ok=True)
    for name in ("proc", "sys", "dev", "run", "tmp", "mnt", "root", "var/log", "var/lib/nfs", "var/empty"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib"):
        (tree / name).symlink_to(f"usr/{name}")
    (tree / "usr/lib64").mkdir(exist_ok=True)
    (tree / "lib64").symlink_to("usr/lib64")
    (tree / "usr/lib64/ld-linux-x86-64.so.2").unlink(missing_ok=True)
    (tree / "usr/lib64/ld-linux-x86-64.so.2").symlink_to("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    (tree / "var/run").symlink_to("/run")
    (tree / "tmp").chmod(0o1777)
    (tree / "root").chmod(0o700)
    (tree / "etc/mtab").symlink_to("/proc/self/mounts")
    (tree / "etc/resolv.conf").symlink_to("/run/resolv.conf")


def link_busybox(tree: Path) -> None:
    """A link to busybox for every command that no real program provides."""
    present = {path.name for folder in ("usr/bin", "usr/sbin") for path in (tree / folder).iterdir()}
    for applet in set(run("/usr/bin/busybox", "--list").split()) - present:
        (tree / "usr/bin" / applet).symlink_to("busybox")
    (tree / "init").symlink_to("usr/bin/busybox")


def early(release: str, tree: Path, target: Path) -> None:
    """What mounts the squash: busybox and three modules, in the order to load them."""
    target.mkdir()
    shutil.copyfile(ROOT / "usr/bin/busybox", target / "busybox")
    for name in EARLY_MODULES:
        source = next((tree / "usr/lib/modules" / release / "kernel").rglob(f"{name}.ko"))
        shutil.copyfile(source, target / source.name)


def modules_to_hand_over(release: str, rules: str, target: Path) -> None:
    """What the hand-over initrd needs of this kernel; it is compressed for the firmware's sake."""
    archive = kernel_modules.archive(ROOT / "usr/lib/modules" / release, rules, ROOT / "usr/lib/firmware")
    target.write_bytes(lzma.compress(archive, check=lzma.CHECK_CRC32))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
