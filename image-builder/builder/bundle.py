"""Signed updates of the appliance: RAUC bundles with the root in it, in the verity format."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from . import tools
from .disk import CHUNK
from .errors import BuildError
from .progress import phase
from .run import require, run

COMPATIBLE = "qrm-appliance-amd64"
SQUASH = "-comp zstd -Xcompression-level 3 -b 1M -no-progress"


@dataclass(frozen=True)
class Signer:
    """PEM files: the private key, its certificate. They are read where they lie, and nothing is kept of them."""

    key: Path
    certificate: Path


def build(image: Path, signer: Signer, into: Path, directory: Path, scratch: Path) -> Path:
    """The bundle `into`/appliance-<build>.raucb of the image in the directory `image`. Raises BuildError."""
    require(["zstd", "mksquashfs"])
    for file in (signer.key, signer.certificate):
        if not os.access(file, os.R_OK):
            raise BuildError(f"{file} cannot be read; it is needed for the signature.")
    about = json.loads((image / "image.json").read_text())
    content = scratch / "content"
    content.mkdir()
    with phase("bundle", "taking the root out of the image"):
        extract(image / "appliance.raw.zst", about["root_offset"], about["root_size"], content / "root.img")
    (content / "manifest.raucm").write_text(manifest(about["version"], about["build"]))
    made, programs = into / f"appliance-{about['build']}.raucb", tools.build(directory)
    with phase("bundle", "packing and signing"):
        made.unlink(missing_ok=True)
        words = tools.program(programs, "usr/bin/rauc")
        signed = [f"--cert={signer.certificate}", f"--key={signer.key}", f"--mksquashfs-args={SQUASH}"]
        run([*words, "bundle", *signed, content, made], scratch / "rauc.log")
    return made


def manifest(version: str, build_id: str) -> str:
    """What RAUC reads first (its manual, "Manifest")."""
    return f"""[update]
compatible={COMPATIBLE}
version={version}
build={build_id}

[bundle]
format=verity

[image.rootfs]
filename=root.img
"""


def extract(stored: Path, offset: int, size: int, target: Path) -> None:
    """Write `size` bytes from `offset` of a compressed image to `target`, with holes for zeros."""
    with subprocess.Popen(["zstd", "-q", "-d", "-c", str(stored)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        for position in range(0, offset, CHUNK):
            _read(process.stdout, min(CHUNK, offset - position))
        with target.open("wb") as file:
            file.truncate(size)
            for position in range(0, size, CHUNK):
                data = _read(process.stdout, min(CHUNK, size - position))
                if data.strip(b"\0"):
                    file.seek(position)
                    file.write(data)
        process.kill()


def _read(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise BuildError("The image ends before its root does. Build it again.")
    return data
