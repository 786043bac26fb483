"""Programs that tests in the guest run."""

import subprocess
from pathlib import Path


def run(*argv: str | Path, cwd: Path | None = None) -> str:
    """The output of a program that has to succeed; what it said is in the error where it does not."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise RuntimeError(f"{' '.join(map(str, argv))}: status {done.returncode}: {said}")
    return done.stdout
