"""Putting what was built where a daemon's configuration names it: `<output>/stack`, `/programs`, `/demo`."""

import shutil
from pathlib import Path

from .progress import say


def put(built: Path, output: Path, kind: str) -> Path:
    """Copy `built` to `<output>/<kind>`, in the place of what was there; readable by everybody. Raises OSError.

    The copy is complete before it takes its name: what is killed leaves the old one, or none for an instant.
    """
    target, new, old = (output / name for name in (kind, f".{kind}-new", f".{kind}-old"))
    output.mkdir(mode=0o755, parents=True, exist_ok=True)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(built, new)
    new.chmod(0o755)
    for file in new.iterdir():
        file.chmod(0o644)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    say(f"{kind}: {target}")
    return target
