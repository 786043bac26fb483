from pathlib import Path


def build(directory: Path) -> Path:
    return directory
