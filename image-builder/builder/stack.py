"""The maintenance stack: Debian's kernel, and an initrd that mounts a squashed root and starts the agent.

Beside them lies the hand-over initrd, with the modules that it needs of that very kernel.
"""

import json
import os
import shlex
import time
from pathlib import Path

from . import cache, cpio, handover, kernel_modules, mmdebstrap
from .errors import BuildError
from .progress import phase, say
from .run import require
from .trim import parse_words

RECIPE = cache.SOURCE / "stack"
LIMIT = 96_000_000
SQUASH = "-comp zstd -Xcompression-level 19 -b 256K -noappend -quiet -no-progress -all-root"
INSIDE = "/qrm-build"
MODULES = "handover-modules"
"""What of the stack's kernel is loaded behind the hand-over initrd's userland."""


def packages() -> list[str]:
    """Debian packages that the stack's files are picked from."""
    return parse_words((RECIPE / "packages.list").read_text())


def name() -> str:
    """Key of everything that goes into the stack."""
    return cache.key({"maintenance": maintenance_name().encode(), "handover": handover.name().encode()})


def maintenance_name() -> str:
    """Key of what is picked from the packages: all but the hand-over initrd's userland, which is quickly made."""
    inputs = cache.inputs(("stack", "inside_stack", "kernel_modules", "trim", "cpio", "mmdebstrap"), RECIPE)
    shared = {path.name: path.read_bytes() for path in kernel_modules.SHARED.iterdir() if path.is_file()}
    return cache.key({**inputs, **shared, "sources": mmdebstrap.sources().encode()})


def build(directory: Path) -> Path:
    """The stack's directory in the cache `directory`. Raises BuildError.

    In it: `vmlinuz`, `initrd`, `handover`, `handover-modules`, `stack.json`.
    """
    archives, userland = directory / "debs-stack", handover.build(directory)
    picked = cache.kept(
        directory, "maintenance", maintenance_name(), lambda into, scratch: _build(into, scratch, archives)
    )
    return cache.kept(directory, "stack", name(), lambda into, _: put_together(into, picked, userland))


def put_together(into: Path, picked: Path, userland: Path) -> None:
    """The stack from its two halves."""
    for part in ("vmlinuz", "initrd", MODULES):
        os.link(picked / part, into / part)
    os.link(userland / handover.USERLAND, into / handover.USERLAND)
    facts = json.loads((picked / "stack.json").read_text())
    facts["handover"] = handed_over(into, userland)
    (into / "stack.json").write_text(json.dumps(facts, indent=1) + "\n")


def _build(into: Path, scratch: Path, archives: Path) -> None:
    require(["mksquashfs"])
    with phase("stack", f"unpacking packages, picking and squashing ({mmdebstrap.SUITE})"):
        mmdebstrap.make(mmdebstrap.Recipe("extract", packages(), hooks(scratch)), archives, scratch)
    with phase("stack", "writing the initrd"):
        out = scratch / "out"
        for part in ("vmlinuz", MODULES):
            (out / part).rename(into / part)
        (into / "initrd").write_bytes(initrd(out / "early", out / "root.squashfs"))
        facts = json.loads((out / "facts.json").read_text())
        (into / "stack.json").write_text(json.dumps(description(into, facts, archives), indent=1) + "\n")


def hooks(scratch: Path) -> list[str]:
    """What happens to the unpacked tree: pick, squash, bring the results out to `scratch`/out."""
    out = scratch / "out"
    out.mkdir()
    given = (RECIPE, cache.SOURCE / "builder")
    return [
        f'mkdir -p "$1"{INSIDE}/out "$1"{INSIDE}/appliance',
        f"copy-in {' '.join(shlex.quote(str(path)) for path in given)} {INSIDE}",
        f"copy-in {shlex.quote(str(kernel_modules.SHARED))} {INSIDE}/appliance",
        f'chroot "$1" env PYTHONPATH={INSIDE} python3 -m builder.inside_stack {INSIDE} {INSIDE}/out',
        f'mksquashfs "$1"{INSIDE}/out/tree "$1"{INSIDE}/out/root.squashfs {SQUASH}',
        *(
            f"copy-out {INSIDE}/out/{result} {shlex.quote(str(out))}"
            for result in ("early", "root.squashfs", "vmlinuz", MODULES, "facts.json")
        ),
    ]


def initrd(early: Path, squash: Path) -> bytes:
    """The cpio of the first stage with the squash in it; not compressed again, since all that matters is."""
    return cpio.archive(
        [
            cpio.directory("dev"),
            cpio.character_device("dev/console", 5, 1),
            cpio.program("init", (RECIPE / "init").read_bytes()),
            *(cpio.program(path.name, path.read_bytes()) for path in sorted(early.iterdir())),
            cpio.plain("root.squashfs", squash.read_bytes()),
        ]
    )


def handed_over(into: Path, userland: Path) -> dict[str, object]:
    """What `stack.json` tells of the hand-over initrd: its files in the order to load them, and what is in them."""
    facts = json.loads((userland / "handover.json").read_text())
    sizes = {part: (into / part).stat().st_size for part in (handover.USERLAND, MODULES)}
    return {"initrd": [*sizes], "bytes": sizes, "packages": facts["packages"]}


def description(into: Path, facts: dict[str, object], archives: Path) -> dict[str, object]:
    """The content of `stack.json`. Raises BuildError when kernel and initrd are too large together."""
    sizes = {part: (into / part).stat().st_size for part in ("vmlinuz", "initrd")}
    total = sum(sizes.values())
    say(f"stack: kernel and initrd are {total / 1e6:.1f} MB, {facts['modules']} modules")
    if total > LIMIT:
        raise BuildError(f"The stack is {total} bytes; the limit is {LIMIT}. Shorten the lists in stack/.")
    installed = facts.pop("installed")
    assert isinstance(installed, list)
    return {
        **facts,
        "built": int(time.time()),
        "bytes": {**sizes, "total": total},
        "packages": mmdebstrap.versions(archives, installed),
    }
