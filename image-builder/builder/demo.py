"""The demo image: a small Debian server on a disk that starts from BIOS and UEFI."""

import hashlib
import json
import shlex
import uuid
from dataclasses import dataclass
from pathlib import Path

from appliance.bootdisk.gpt import SECTOR

from . import cache, disk, grub_images, mmdebstrap
from .errors import BuildError
from .progress import phase, say
from .run import require, run
from .trim import parse_words

RECIPE = cache.SOURCE / "demo"
INSIDE = "/qrm-build"
LIMIT = 200_000_000
COMPRESSION = "-9"
NAMESPACE = uuid.UUID("6f1c9a0e-3f0f-4d57-9a2b-0d6a0c3b7f11")


@dataclass(frozen=True)
class Identity:
    """The identifiers of one build, made from its key: the same recipe gives the same image."""

    key: str

    def uuid(self, part: str) -> uuid.UUID:
        """Identifier of the disk or of one of its parts."""
        return uuid.uuid5(NAMESPACE, f"{self.key}/{part}")

    @property
    def esp_serial(self) -> str:
        """FAT's 32-bit serial number, eight hex digits."""
        return self.uuid("esp-serial").hex[:8].upper()

    def filled(self, template: str) -> str:
        """A recipe file with the places for identifiers filled in."""
        esp = f"{self.esp_serial[:4]}-{self.esp_serial[4:]}"
        return template.replace("@ROOT@", str(self.uuid("root-fs"))).replace("@ESP@", esp)


def name() -> str:
    """Key of everything that goes into the demo image."""
    inputs = cache.inputs(("demo", "disk", "grub_images", "trim", "mmdebstrap"), RECIPE)
    return cache.key({**inputs, **cache.common("bootdisk"), "sources": mmdebstrap.sources().encode()})


def build(directory: Path) -> Path:
    """The image's directory in the cache `directory`: `image.raw.zst`, `image.json`. Raises BuildError."""
    require(["zstd", "mke2fs", "mformat", "mmd", "mcopy"])
    loaders = grub_images.build(directory)
    archives = directory / "debs-demo"
    return cache.kept(directory, "demo", name(), lambda into, scratch: _build(into, scratch, archives, loaders))


def _build(into: Path, scratch: Path, archives: Path, loaders: Path) -> None:
    identity = Identity(name())
    with phase("demo", f"installing packages ({mmdebstrap.SUITE})"):
        mmdebstrap.make(recipe(scratch, identity), archives, scratch)
    with phase("demo", "laying out the disk"):
        raw = disk.server(scratch, identity.uuid, identity.esp_serial, scratch / "root.ext4", loaders)
    with phase("demo", "compressing"):
        stored = into / "image.raw.zst"
        run(["zstd", "-q", "-T0", COMPRESSION, raw, "-o", stored], scratch / "zstd.log")
    (into / "image.json").write_text(json.dumps(description(scratch, raw, stored), indent=1) + "\n")


def recipe(scratch: Path, identity: Identity) -> mmdebstrap.Recipe:
    """The installed system, and how its root file system gets out to `scratch`."""
    given = scratch / "given"
    given.mkdir()
    for part in ("grub.cfg", "fstab"):
        (given / part).write_text(identity.filled((RECIPE / part).read_text()))
    excludes = parse_words((RECIPE / "exclude.list").read_text())
    return mmdebstrap.Recipe(
        variant="minbase",
        packages=parse_words((RECIPE / "packages.list").read_text()),
        # Before the packages are configured: the initrd is made with these settings once, and no sooner.
        setup=[f"copy-in {shlex.quote(str(RECIPE / 'root' / 'etc'))} /"],
        options=[
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in excludes),
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            "--dpkgopt=force-confold",
        ],
        hooks=hooks(scratch, given, identity),
    )


def hooks(scratch: Path, given: Path, identity: Identity) -> list[str]:
    """What happens to the installed tree, in order."""
    out = shlex.quote(str(scratch))
    return [
        f"copy-in {shlex.quote(str(RECIPE / 'root' / 'usr'))} /",
        f'mkdir -p "$1"{INSIDE}',
        f"copy-in {shlex.quote(str(RECIPE))} {INSIDE}",
        f'chroot "$1" {INSIDE}/demo/finish',
        f"copy-in {shlex.quote(str(given / 'grub.cfg'))} /boot/grub",
        f"copy-in {shlex.quote(str(given / 'fstab'))} /etc",
        f'"$1"{INSIDE}/demo/pack "$1" {identity.uuid("root-fs")}',
        *(f"download {INSIDE}/{part} {out}/{part}" for part in ("root.ext4", "packages", "kernel")),
    ]


def description(scratch: Path, raw: Path, stored: Path) -> dict[str, object]:
    """The content of `image.json`. Raises BuildError when the image is larger than promised."""
    size = stored.stat().st_size
    say(f"demo: {size / 1e6:.1f} MB compressed, {raw.stat().st_size / 1e6:.0f} MB on disk")
    if size > LIMIT:
        raise BuildError(f"The demo image is {size} bytes; the limit is {LIMIT}. Shorten the lists in demo/.")
    lines = (scratch / "packages").read_text().splitlines()
    with stored.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": "debian-13",
        "description": "Debian GNU/Linux 13, small server with SSH",
        "format": "raw.zst",
        "size": raw.stat().st_size,
        "stored_size": size,
        "stored_sha256": digest,
        "sector_size": SECTOR,
        "kernel": (scratch / "kernel").read_text().strip().removeprefix("vmlinuz-"),
        "packages": dict(line.split(" ", 1) for line in lines),
        "default_user": "root",
    }
