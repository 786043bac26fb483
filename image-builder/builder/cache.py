"""Where built things are kept: `<cache>/<kind>-<key>/`, complete or not there at all."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .progress import say
from .run import search_path

SOURCE = Path(__file__).resolve().parents[1]
APPLIANCE = SOURCE.parent / "appliance"
KEY_LENGTH = 16


def default_directory() -> Path:
    """`~/.cache/qrm`, or where XDG_CACHE_HOME says."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore relative values.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "qrm"


def key(inputs: dict[str, bytes]) -> str:
    """A name for these inputs: the same for equal ones, another for any change, in whatever order."""
    digest = hashlib.sha256()
    for name, content in sorted(inputs.items()):
        digest.update(f"{len(name)}:{name}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:KEY_LENGTH]


def inputs(modules: Iterable[str], *folders: Path) -> dict[str, bytes]:
    """Inputs for `key`: these modules of this program, and every file below the folders, with modes."""
    files = [SOURCE / "builder" / f"{module}.py" for module in modules]
    files += [path for folder in folders for path in folder.rglob("*") if _counts(path)]
    return {f"{path.relative_to(SOURCE)} {path.lstat().st_mode:o}": _content(path) for path in files}


def common(room: str) -> dict[str, bytes]:
    """Inputs for `key`: what is common with the appliance in a room of its package."""
    return {f"appliance/{room}/{path.name}": path.read_bytes() for path in (APPLIANCE / room).glob("*.py")}


def _counts(path: Path) -> bool:
    return "__pycache__" not in path.parts and (path.is_symlink() or path.is_file())


def _content(path: Path) -> bytes:
    return os.readlink(path).encode() if path.is_symlink() else path.read_bytes()


def kept(cache: Path, kind: str, name: str, build: Callable[[Path, Path], None]) -> Path:
    """The directory of this artefact, built by `build(into, scratch)` only if it is not there yet.

    `into` becomes the result when `build` returns; `scratch` is thrown away. Two builds at once of the same
    kind share one result.
    """
    result = cache / f"{kind}-{name}"
    if result.is_dir():
        return result
    cache.mkdir(parents=True, exist_ok=True)
    with lock(cache / f".{kind}.lock"):
        if not result.is_dir():
            _build(cache, kind, result, build)
    return result


def _build(cache: Path, kind: str, result: Path, build: Callable[[Path, Path], None]) -> None:
    remove_stale(cache, kind)
    into = Path(tempfile.mkdtemp(prefix=f".{kind}-new-", dir=cache))
    scratch = Path(tempfile.mkdtemp(prefix=scratch_prefix(cache, kind), dir=scratch_base()))
    # The package program's root lives in there, under another user id when an ordinary user builds.
    scratch.chmod(0o755)
    try:
        build(into, scratch)
        into.chmod(0o755)
        into.rename(result)
    finally:
        discard(scratch)
        discard(into)


def scratch_base() -> Path:
    """A roomy place that other user ids can enter, which home directories are not."""
    return Path(os.environ.get("TMPDIR", "/var/tmp"))  # noqa: S108


def scratch_prefix(cache: Path, kind: str) -> str:
    """Begin of scratch names that belong to this cache and kind, and so to the holder of its lock."""
    owner = hashlib.sha256(str(cache.resolve()).encode()).hexdigest()[:8]
    return f"qrm-build-{os.getuid()}-{owner}-{kind}-"


def remove_stale(cache: Path, kind: str) -> None:
    """Remove what killed builds of this kind left; only for the holder of the lock."""
    stale = [*cache.glob(f".{kind}-new-*"), *scratch_base().glob(scratch_prefix(cache, kind) + "*")]
    for path in stale:
        say(f"{kind}: removing what an interrupted build left: {path}")
        discard(path)


def discard(path: Path) -> None:
    """Remove a tree, also one with files of the user ids that a user namespace lent us."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        command = ["unshare", "--map-root-user", "--map-auto", "rm", "-rf", "--", str(path)]
        subprocess.run(command, check=False, env={**os.environ, "PATH": search_path()})


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a file lock; the kernel drops it when this process dies, however it dies."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another build holds {path}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
