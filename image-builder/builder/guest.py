"""The guest that tests run in: Debian's kernel, a small first stage, and a squashed root that is never written to."""

import json
import shlex
from pathlib import Path

from . import cache, cpio, guest_python, mmdebstrap
from .progress import phase, say
from .run import require
from .trim import parse_words

RECIPE = cache.SOURCE / "guest"
INSIDE = "/qrm-build"
SQUASH = "-comp lz4 -b 256K -noappend -quiet -no-progress"
"""Under emulation the processor is slow and the disk is not."""
LEFT_OUT = (
    "qrm-build",
    "proc/*",
    "sys/*",
    "dev/*",
    "run/*",
    "tmp/*",
    "boot/System*",
    "boot/initrd*",
    "var/cache/apt/archives/*",
)


def name() -> str:
    """Key of everything that goes into the guest."""
    inputs = cache.inputs(("guest", "guest_python", "trim", "cpio", "mmdebstrap"), RECIPE)
    wanted = "\n".join(guest_python.requirements())
    return cache.key({**inputs, "sources": mmdebstrap.sources().encode(), "python": wanted.encode()})


def build(directory: Path) -> Path:
    """The guest's directory in the cache: `vmlinuz`, `initrd`, `root.squashfs`, `guest.json`. Raises BuildError."""
    archives = directory / "debs-guest"
    return cache.kept(directory, "guest", name(), lambda into, scratch: _build(into, scratch, archives))


def _build(into: Path, scratch: Path, archives: Path) -> None:
    require(["mksquashfs"])
    with phase("guest", "fetching Python packages"):
        guest_python.fetch(scratch / "qrm-python", scratch / "pip.log")
    with phase("guest", f"installing packages and squashing ({mmdebstrap.SUITE})"):
        mmdebstrap.make(recipe(scratch), archives, scratch)
    for part in ("vmlinuz", "root.squashfs"):
        (scratch / part).rename(into / part)
    (into / "initrd").write_bytes(initrd(scratch))
    (into / "guest.json").write_text(json.dumps(description(scratch), indent=1) + "\n")
    say(f"guest: {(into / 'root.squashfs').stat().st_size / 1e6:.0f} MB")


def recipe(scratch: Path) -> mmdebstrap.Recipe:
    """The installed system, and how what is made of it gets out to `scratch`."""
    excludes = parse_words((RECIPE / "exclude.list").read_text())
    return mmdebstrap.Recipe(
        variant="minbase",
        packages=parse_words((RECIPE / "packages.list").read_text()),
        # Nobody reads the initrd that the packages would make; it takes a while.
        setup=[
            'mkdir -p "$1"/etc/initramfs-tools',
            'echo update_initramfs=no >"$1"/etc/initramfs-tools/update-initramfs.conf',
        ],
        options=[*(f"--dpkgopt=path-exclude={each}" for each in excludes), "--dpkgopt=force-confold"],
        hooks=hooks(scratch),
    )


def hooks(scratch: Path) -> list[str]:
    """What happens to the installed tree, in order."""
    out = shlex.quote(str(scratch))
    left_out = " ".join(map(shlex.quote, LEFT_OUT))
    return [
        f"copy-in {shlex.quote(str(RECIPE / 'root' / 'etc'))} {shlex.quote(str(RECIPE / 'root' / 'usr'))} /",
        f"copy-in {out}/qrm-python /opt",
        f'mkdir -p "$1"{INSIDE}',
        f"copy-in {shlex.quote(str(RECIPE / 'finish'))} {INSIDE}",
        f'chroot "$1" {INSIDE}/finish',
        f'mksquashfs "$1" "$1"{INSIDE}/root.squashfs {SQUASH} -wildcards -e {left_out}',
        f"copy-out {INSIDE}/early {out}",
        *(
            f"download {INSIDE}/{part} {out}/{part}"
            for part in ("root.squashfs", "vmlinuz", "busybox", "kernel", "packages")
        ),
    ]


def initrd(scratch: Path) -> bytes:
    """The first stage: it mounts the root file system and hands on."""
    modules = sorted((scratch / "early").iterdir())
    return cpio.archive(
        [
            cpio.directory("dev"),
            cpio.character_device("dev/console", 5, 1),
            cpio.program("init", (RECIPE / "init").read_bytes()),
            cpio.program("busybox", (scratch / "busybox").read_bytes()),
            cpio.directory("early"),
            *(cpio.plain(f"early/{path.name}", path.read_bytes()) for path in modules),
        ]
    )


def description(scratch: Path) -> dict[str, object]:
    """The content of `guest.json`."""
    lines = (scratch / "packages").read_text().splitlines()
    return {
        "kernel": (scratch / "kernel").read_text().strip(),
        "packages": dict(line.split(" ", 1) for line in lines),
        "python": sorted(path.name for path in (scratch / "qrm-python").glob("*.dist-info")),
    }
