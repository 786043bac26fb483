"""The Python packages that the daemon needs, unpacked, with byte code by the Python that will run them."""

import shutil
from pathlib import Path

from . import cache, lock, tools
from .progress import phase
from .run import run

SITE = "opt/qrm/lib/python3.13/site-packages"


def name() -> str:
    """Key of everything that goes into it."""
    inputs = cache.inputs(("appliance_python", "lock", "tools"))
    return cache.key({**inputs, "lock": lock.LOCK.read_bytes()})


def build(directory: Path, programs: Path) -> Path:
    """A directory that holds what goes into SITE, in the cache `directory`. Raises BuildError."""
    return cache.kept(directory, "appliance-python", name(), lambda into, scratch: _build(into, scratch, programs))


def _build(into: Path, scratch: Path, programs: Path) -> None:
    with phase("appliance", "fetching Python packages"):
        lock.fetch(into, scratch)
        drop_programs(into)
    with phase("appliance", "compiling Python packages"):
        compile_tree(into, programs, scratch)


def drop_programs(tree: Path) -> None:
    """Forget the programs that packages bring: they start with the path of the Python that unpacked them here."""
    shutil.rmtree(tree / "bin", ignore_errors=True)
    for record in tree.glob("*.dist-info/RECORD"):
        lines = record.read_bytes().splitlines(keepends=True)
        record.write_bytes(b"".join(line for line in lines if not line.startswith(b"../../bin/")))


def compile_tree(tree: Path, programs: Path, scratch: Path) -> None:
    """Put byte code beside the modules below `tree`; checked against nothing, since nothing changes in use."""
    words, surroundings = tools.python(programs)
    options: list[str | Path] = ["-q", "--invalidation-mode", "unchecked-hash", "-s", tree, "-p", f"/{SITE}", tree]
    run([*words, "-m", "compileall", *options], scratch / "compile.log", surroundings)
