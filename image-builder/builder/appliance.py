"""The appliance's image: a disk that starts from BIOS and UEFI, to be flashed onto a dedicated server."""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from appliance.bootdisk.gpt import SECTOR

from . import (
    appliance_base,
    appliance_disk,
    appliance_ours,
    appliance_python,
    cache,
    demo,
    licences,
    programs,
    stack,
    tools,
)
from .appliance_ours import RECIPE, SHARE
from .appliance_places import Places
from .appliance_tree import BLOCK, File, Written, write
from .errors import BuildError
from .progress import phase, say
from .run import require, run
from .trim import parse_words

MODULES = [f"appliance{part}" for part in ("", "_base", "_disk", "_ours", "_places", "_python", "_tree")]
MODULES += ["bmap", "licences", "tools", "disk"]
LIMIT = 700_000_000
COMPRESSION = "-3"
NAMESPACE = uuid.UUID("2c0f6f0a-7b7f-4ed1-8f27-3d1f4a0c9b55")
KEPT = 3
"""Results that stay in the cache: each is most of a gigabyte, and every change to the daemon makes a new one."""


@dataclass(frozen=True)
class Wanted:
    """What an image is made of besides the sources: who may sign updates (PEM certificates)."""

    keyring: Path | None = None


def name(wanted: Wanted) -> str:
    """Key of everything that goes into the image."""
    ours = {str(path.relative_to(appliance_ours.PROJECT)): _stamp(path) for path in appliance_ours.sources()}
    parts = {
        "base": appliance_base.name(),
        "python": appliance_python.name(),
        "stack": stack.name(),
        "programs": programs.name(),
        "demo": demo.name(),
    }
    keyring = wanted.keyring.read_bytes() if wanted.keyring else b""
    lists = {part: (RECIPE / part).read_bytes() for part in ("links.list", "drop.list", "mke2fs.conf")}
    named = {key: value.encode() for key, value in {**parts, "epoch": str(epoch())}.items()}
    return cache.key({**cache.inputs(MODULES), **ours, **lists, **named, "keyring": keyring})


def _stamp(path: Path) -> bytes:
    return f"{path.lstat().st_mode:o} ".encode() + (b"" if path.is_symlink() else path.read_bytes())


def epoch() -> int:
    """Seconds: QRM_IMAGE_EPOCH, or the time of the last commit. No file of the image is newer."""
    given = os.environ.get("QRM_IMAGE_EPOCH")
    if given:
        return int(given)
    command = ["git", "-C", str(appliance_ours.PROJECT), "log", "-1", "--format=%ct"]
    try:
        said = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        said = ""
    return max(int(said or 0), appliance_base.EPOCH)


def build(directory: Path, wanted: Wanted | None = None) -> Path:
    """The image's directory in the cache `directory`: `appliance.raw.zst` and what belongs to it. Raises BuildError."""
    require(["zstd", "mformat", "mmd", "mcopy"])
    wanted = wanted or Wanted()
    parts = _parts(directory)
    key = name(wanted)
    made = cache.kept(directory, "appliance", key, lambda into, scratch: _build(into, scratch, parts, wanted, key))
    for one in (made, parts.base, parts.python):
        os.utime(one)
        _prune(directory, one)
    return made


@dataclass(frozen=True)
class Parts:
    """Directories with what was built before."""

    base: Path
    programs: Path
    python: Path
    booted: dict[str, Path]


def _parts(directory: Path) -> Parts:
    """What does not need each other is built side by side, the longest first; after a failure nothing more is begun."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        image = pool.submit(demo.build, directory)
        base = pool.submit(appliance_base.build, directory)
        maintenance = pool.submit(stack.build, directory)
        unpacked = pool.submit(tools.build, directory)
        first = pool.submit(programs.build, directory)
        python = pool.submit(lambda: appliance_python.build(directory, unpacked.result()))
        try:
            for ended in as_completed([image, base, maintenance, unpacked, first, python]):
                ended.result()
        finally:
            pool.shutdown(cancel_futures=True)
    booted = {"stack": maintenance.result(), "programs": first.result(), "demo": image.result()}
    return Parts(base.result(), unpacked.result(), python.result(), booted)


def _prune(directory: Path, made: Path) -> None:
    kind = made.name.rpartition("-")[0]
    kept = [path for path in directory.glob(f"{kind}-" + "[0-9a-f]" * cache.KEY_LENGTH) if path != made]
    for path in sorted(kept, key=lambda one: one.stat().st_mtime, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def _build(into: Path, scratch: Path, parts: Parts, wanted: Wanted, key: str) -> None:
    identity = appliance_disk.Identity(lambda part: uuid.uuid5(NAMESPACE, f"{key}/{part}"))
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch())
    with phase("appliance", "putting the root together"):
        packages, blocks, count = _root(scratch, parts, wanted, key)
    with phase("appliance", "writing the root's file system"):
        root = scratch / "root.ext4"
        run(*mke2fs(parts.programs, identity, scratch, root, blocks, count))
    with phase("appliance", "laying out the disk"):
        raw = scratch / "appliance.raw"
        appliance_disk.write(scratch, identity, root, parts.base, RECIPE / "esp", raw)
        (into / "appliance.raw.bmap").write_text(appliance_disk.mapped(raw, root.stat().st_size))
    with phase("appliance", "compressing"):
        stored = into / "appliance.raw.zst"
        run(["zstd", "-q", "-T0", COMPRESSION, raw, "-o", stored], scratch / "zstd.log")
    (into / "packages.json").write_text(json.dumps(packages, indent=1) + "\n")
    (into / "image.json").write_text(json.dumps(_description(raw, stored, root, key), indent=1) + "\n")
    (into / "SHA256SUMS").write_text("".join(f"{_sha256(one)}  {one.name}\n" for one in sorted(into.iterdir())))


def _root(scratch: Path, parts: Parts, wanted: Wanted, key: str) -> tuple[list[dict[str, object]], int, int]:
    ours = appliance_ours.files(scratch, parts.programs, parts.python, parts.booted)
    ours |= {f"{SHARE}/boot/{part}": File(parts.base / part) for part in appliance_base.LOADERS}
    ours[f"{SHARE}/version"] = File(_version(key).encode())
    if wanted.keyring:
        ours["etc/rauc/keyring.pem"] = File(wanted.keyring)
    ours = {place: file for path, file in ours.items() if (place := places().of(path))}
    with tarfile.open(scratch / "root.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        written = Written(archive, epoch())
        write(parts.base / "base.tar.zst", places(), ours, written)
        packages = licences.listing(_packages(written.texts, parts.python))
        late = {f"{SHARE}/packages.json": File(json.dumps(packages, indent=1).encode())}
        written.add_ours(late)
    return packages, written.blocks, len(written.names)


def places() -> Places:
    """Where the files of the base go, as the recipe says."""
    return Places(
        links=[path.strip("/") for path in parse_words((RECIPE / "links.list").read_text())],
        drop=parse_words((RECIPE / "drop.list").read_text()),
    )


def _version(key: str) -> str:
    built = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch()))
    return f"VERSION={appliance_ours.version()}\nBUILD={key}\nDATE={built}\n"


def _packages(texts: dict[str, str], python: Path) -> list[tuple[str, str, str, list[str]]]:
    copyrights = {path.split("/")[3]: text for path, text in texts.items() if path.endswith("/copyright")}
    installed = licences.debian(licences.parse_status(texts.get("var/lib/dpkg/status", "")), copyrights)
    rows = [("qrm", "qrm-appliance", appliance_ours.version(), ["Apache-2.0"]), *appliance_ours.console_packages()]
    metadata = (path.read_text() for path in python.glob("*.dist-info/METADATA"))
    return [*rows, *installed, *(("python", *licences.of_metadata(text)) for text in metadata)]


def mke2fs(
    programs_tree: Path, identity: appliance_disk.Identity, scratch: Path, root: Path, blocks: int, count: int
) -> tuple[list[str | Path], Path, dict[str, str]]:
    """Command line, log and environment that make the root's file system out of `scratch`/root.tar.

    It is never written to: no journal, no room to spare, no time or identifier that another build would not have.
    """
    extended = f"hash_seed={identity.of('hash')},root_owner=0:0,lazy_itable_init=0,nodiscard"
    inodes = count + 64
    size = (blocks + inodes * 256 // BLOCK) * 102 // 100 + 4096
    options = ["-t", "ext4", "-L", "root", "-m", "0", "-b", str(BLOCK), "-N", str(inodes)]
    options += ["-U", str(identity.of("root-fs")), "-E", extended]
    words = tools.program(programs_tree, "usr/sbin/mke2fs")
    surroundings = {"MKE2FS_CONFIG": str(RECIPE / "mke2fs.conf")}
    return [*words, "-q", *options, "-d", scratch / "root.tar", root, str(size)], scratch / "mke2fs.log", surroundings


def _description(raw: Path, stored: Path, root: Path, key: str) -> dict[str, object]:
    size, content = stored.stat().st_size, root.stat().st_size
    say(f"appliance: {size / 1e6:.0f} MB compressed, {content / 1e6:.0f} MB of root")
    if size > LIMIT:
        raise BuildError(f"The image is {size} bytes; the limit is {LIMIT}. Shorten the lists in appliance/.")
    return {
        "name": "appliance",
        "version": appliance_ours.version(),
        "build": key,
        "format": "raw.zst",
        "size": raw.stat().st_size,
        "stored_size": size,
        "stored_sha256": _sha256(stored),
        "root_offset": appliance_disk.ROOT_AT * SECTOR,
        "root_size": content,
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
