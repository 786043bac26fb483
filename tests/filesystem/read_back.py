"""What is in a file system, read by debugfs(8): nothing is mounted."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Inode:
    """As debugfs shows it."""

    kind: str
    mode: int
    user: int
    group: int
    links: int
    size: int
    number: int


def asked(image: Path, request: str) -> str:
    """What it says."""
    done = subprocess.run(["debugfs", "-R", request, image], capture_output=True, text=True, check=True, env=None)
    return done.stdout


def inode(image: Path, path: str) -> Inode:
    said = asked(image, f'stat "{path}"')
    found = re.search(r"Inode: (\d+)\s+Type: ([\w ]+?)\s+Mode:\s+(\d+)", said)
    owner = re.search(r"User:\s+(\d+)\s+Group:\s+(\d+)(?:\s+Project:\s+\d+)?\s+Size: (\d+)", said)
    links = re.search(r"Links: (\d+)", said)
    assert found, f"{path}: {said}"
    assert owner
    assert links
    user, group, size = map(int, owner.groups())
    return Inode(found[2], int(found[3], 8), user, group, int(links[1]), size, int(found[1]))


def device(image: Path, path: str) -> tuple[int, int]:
    found = re.search(r"Device major/minor number: (\d+):(\d+)", asked(image, f'stat "{path}"'))
    assert found
    return int(found[1]), int(found[2])


def target(image: Path, path: str) -> str:
    found = re.search(r'Fast link dest: "(.*)"', asked(image, f'stat "{path}"'))
    return found[1] if found else asked(image, f'cat "{path}"')


def content(image: Path, path: str) -> bytes:
    return subprocess.run(["debugfs", "-R", f'cat "{path}"', image], capture_output=True, check=True).stdout


def names(image: Path, path: str = "/") -> set[str]:
    rows = [line.split("/") for line in asked(image, f'ls -p "{path}"').splitlines() if line.startswith("/")]
    return {row[5] for row in rows} - {".", ".."}


def sound(image: Path) -> bool:
    return subprocess.run(["e2fsck", "-f", "-n", image], capture_output=True, check=False).returncode == 0


def head(image: Path) -> dict[str, str]:
    said = subprocess.run(["debugfs", "-R", "show_super_stats -h", image], capture_output=True, text=True, check=True)
    return {key: value.strip() for key, _, value in (line.partition(":") for line in said.stdout.splitlines())}
