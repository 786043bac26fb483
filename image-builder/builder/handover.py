"""The hand-over initrd's userland: what mounts the root of a deployment, whatever kernel it is loaded with.

dracut makes it in a tree of Debian packages that are unpacked and never configured; `handover/90qrm-root` is ours.
Kernel modules are not in it: they are a second archive (`kernel_modules`).
"""

import json
import lzma
import shlex
from pathlib import Path

from . import cache, mmdebstrap
from .errors import BuildError
from .progress import phase, say
from .trim import parse_words

RECIPE = cache.SOURCE / "handover"
LEASES = cache.SOURCE / "stack" / "root" / "usr" / "share" / "udhcpc"
"""What to do with a lease, which is the same as in the maintenance stack."""
USERLAND = "handover"
"""The file: a cpio, compressed."""
LIMIT = 16_000_000
INSIDE = "/qrm-build"
MODULE = "/usr/lib/dracut/modules.d/90qrm-root"
EPOCH = "1700000000"
"""Time of all files; it tells nobody anything, and equal builds are equal."""


def name() -> str:
    """Key of everything that goes into it."""
    inputs = cache.inputs(("handover", "mmdebstrap"), RECIPE, LEASES)
    return cache.key({**inputs, "sources": mmdebstrap.sources().encode()})


def build(directory: Path) -> Path:
    """Its directory in the cache `directory`: `handover` and `handover.json`. Raises BuildError."""
    archives = directory / "debs-handover"
    return cache.kept(directory, "handover", name(), lambda into, scratch: _build(into, scratch, archives))


def _build(into: Path, scratch: Path, archives: Path) -> None:
    packages = parse_words((RECIPE / "packages.list").read_text())
    with phase("handover", f"unpacking packages, running dracut ({mmdebstrap.SUITE})"):
        mmdebstrap.make(mmdebstrap.Recipe("extract", packages, hooks(scratch)), archives, scratch)
    with phase("handover", "compressing"):
        (into / USERLAND).write_bytes(compressed((scratch / "userland").read_bytes()))
    facts = description(into, archives, (scratch / "installed").read_text().split())
    (into / "handover.json").write_text(json.dumps(facts, indent=1) + "\n")


def hooks(scratch: Path) -> list[str]:
    """What happens to the unpacked tree: dracut runs in it, and its archive gets out to `scratch`."""
    out = shlex.quote(str(scratch))
    run = f'chroot "$1" env -i PATH=/usr/sbin:/usr/bin LC_ALL=C SOURCE_DATE_EPOCH={EPOCH} DRACUT_NO_XATTR=1'
    return [
        f'mkdir -p "$1"{INSIDE}/none',
        f"copy-in {shlex.quote(str(RECIPE / '90qrm-root'))} {MODULE.rpartition('/')[0]}",
        f"copy-in {shlex.quote(str(RECIPE / 'dracut.conf'))} {INSIDE}",
        f"upload {shlex.quote(str(LEASES / 'default.script'))} {MODULE}/udhcpc.script",
        # Nothing was configured, so nobody has told the dynamic loader where Debian's libraries are.
        f"{run} ldconfig",
        f"{run} dracut --conf {INSIDE}/dracut.conf --confdir {INSIDE}/none --no-kernel --kver none {INSIDE}/userland",
        f'ls "$1"/usr/share/doc >"$1"{INSIDE}/installed',
        *(f"download {INSIDE}/{part} {out}/{part}" for part in ("userland", "installed")),
    ]


def compressed(archive: bytes) -> bytes:
    """As kernels unpack it since 2.6.38 (`CONFIG_RD_XZ`); those before 5.9, which images still have, know no zstd."""
    return lzma.compress(archive, check=lzma.CHECK_CRC32, preset=6)


def description(into: Path, archives: Path, installed: list[str]) -> dict[str, object]:
    """The content of `handover.json`. Raises BuildError when it has grown too large."""
    size = (into / USERLAND).stat().st_size
    say(f"handover: {size / 1e6:.1f} MB")
    if size > LIMIT:
        raise BuildError(f"The hand-over initrd is {size} bytes; the limit is {LIMIT}. Shorten the lists in handover/.")
    return {"bytes": size, "packages": mmdebstrap.versions(archives, installed)}
