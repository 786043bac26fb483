"""What of the appliance comes from Debian: packages, installed once and kept as an archive."""

import shlex
import shutil
import tarfile
from pathlib import Path

from . import cache, demo, mmdebstrap
from .progress import phase
from .run import require, run
from .trim import parse_words

RECIPE = cache.SOURCE / "appliance"
GIVEN = ("base", "add-users", "finish", "passwd", "group", "packages.list", "exclude.list", "grub-modules.list")
INSIDE = "/qrm-build"
LOADERS = ("boot.img", "core.img", "shimx64.efi", "mmx64.efi", "grubx64.efi")
PACK = f"--numeric-owner --format=pax --xattrs --exclude=.{INSIDE}"
KERNELS = ("dev", "proc", "sys")
"""Directories that are mount points while the system is installed; what is in them, and their own times, change."""
PACK += "".join(f" --exclude=./{kernel}" for kernel in KERNELS)
EPOCH = 1_767_225_600
"""Seconds: no file of the base is newer, whenever it is built (2026-01-01)."""


def name() -> str:
    """Key of everything that goes into the base."""
    files = cache.inputs(("appliance_base", "mmdebstrap", "trim"), demo.RECIPE / "root" / "etc")
    ours = {f"given {path}": content for path, content in cache.inputs((), RECIPE).items() if _is_given(path)}
    return cache.key({**files, **ours, "sources": mmdebstrap.sources().encode()})


def _is_given(path: str) -> bool:
    return Path(path.rpartition(" ")[0]).parts[1] in GIVEN


def build(directory: Path) -> Path:
    """`base.tar.zst` and LOADERS in the cache `directory`. Raises BuildError."""
    require(["zstd"])
    archives = directory / "debs-appliance"
    return cache.kept(directory, "appliance-base", name(), lambda into, scratch: _build(into, scratch, archives))


def _build(into: Path, scratch: Path, archives: Path) -> None:
    given = _given(scratch)
    with phase("appliance", f"installing packages ({mmdebstrap.SUITE})"):
        mmdebstrap.make(recipe(given, into, scratch), archives, scratch)
    with phase("appliance", "keeping the base"):
        ordered(scratch / "tree.tar", scratch / "base.tar")
        run(["zstd", "-q", "-T0", "-2", scratch / "base.tar", "-o", into / "base.tar.zst"], scratch / "zstd.log")


def _given(scratch: Path) -> Path:
    given = scratch / "given"
    given.mkdir()
    for part in GIVEN:
        source = RECIPE / part
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, given / part)
    return given


def recipe(given: Path, into: Path, scratch: Path) -> mmdebstrap.Recipe:
    """The installed system; it gets out to `scratch`/tree.tar, the boot loaders to `into`."""
    excludes = parse_words((RECIPE / "exclude.list").read_text())
    inside = shlex.quote(str(given))
    return mmdebstrap.Recipe(
        variant="essential",
        packages=parse_words((RECIPE / "packages.list").read_text()),
        # Before the packages are configured: the initrd is made with these settings once, and no sooner.
        setup=[f"copy-in {shlex.quote(str(demo.RECIPE / 'root' / 'etc'))} /"],
        options=[
            f'--essential-hook={inside}/add-users "$1"',
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in excludes),
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            "--dpkgopt=force-confold",
        ],
        hooks=[
            'rm -rf "$1"' + mmdebstrap.ARCHIVES,
            f"copy-in {inside}/base/usr /",
            f'mkdir -p "$1"{INSIDE}',
            *(f"copy-in {inside}/{part} {INSIDE}" for part in GIVEN[1:]),
            f'chroot "$1" {INSIDE}/finish',
            *(f"download {INSIDE}/boot/{part} {shlex.quote(str(into / part))}" for part in LOADERS),
            f'tar -C "$1" {PACK} -cf "$1"{INSIDE}/tree.tar .',
            f"download {INSIDE}/tree.tar {shlex.quote(str(scratch / 'tree.tar'))}",
        ],
        # Debian's tools take this for the time of what they write; initrd and caches are the same every time.
        environment={"SOURCE_DATE_EPOCH": str(EPOCH)},
    )


def ordered(source: Path, target: Path) -> None:
    """The same archive with its members in the order of their names, none newer than EPOCH, and empty KERNELS."""
    with tarfile.open(source) as found, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as kept:
        for member in sorted([*found.getmembers(), *map(_mount_point, KERNELS)], key=_order):
            kept.addfile(settled(member, EPOCH), found.extractfile(member) if member.isreg() else None)


def _mount_point(name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(f"./{name}")
    made.type, made.mode = tarfile.DIRTYPE, 0o755
    return made


def settled(member: tarfile.TarInfo, epoch: int) -> tarfile.TarInfo:
    """The member without what another build would write differently."""
    member.mtime = min(int(member.mtime), epoch)
    member.uname = member.gname = ""
    member.pax_headers = {key: value for key, value in member.pax_headers.items() if not key.endswith("time")}
    return member


def _order(member: tarfile.TarInfo) -> tuple[bool, str]:
    # A hard link comes after what it is a link to.
    return member.islnk(), member.name
