"""Signed updates for tests: made of the image's own root, with other files in it here and there."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder import bundle, tools

PACKAGE = "/opt/qrm/lib/python3.13/site-packages/appliance"
VERSION_FILE = f"{PACKAGE}/__init__.py"
CACHE = Path(os.environ.get("QRM_CACHE") or Path.home() / ".cache/qrm")


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that updates are signed with, and its certificate, which is in the image: of this computer's tests only."""

    key: Path
    certificate: Path


def signer() -> Signer:
    """Made once on a computer, so that the image with it can stay in the cache."""
    kept = CACHE / "test-signer"
    made = Signer(kept / "key.pem", kept / "certificate.pem")
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix="test-signer-", dir=CACHE))
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=tests"]
        pair = ["-keyout", beside / made.key.name, "-out", beside / made.certificate.name]
        subprocess.run([*words, *pair], check=True, capture_output=True)
        try:
            beside.rename(kept)
        except OSError:  # another process was faster, and its pair is as good
            shutil.rmtree(beside)
    return made


@dataclass(frozen=True, slots=True)
class Root:
    """The root of an image, as a file system of its own that can be changed."""

    file: Path

    @classmethod
    def of(cls, image: Path, file: Path) -> "Root":
        """Take it out of an image."""
        about = json.loads((image / "image.json").read_text())
        bundle.extract(image / "appliance.raw.zst", about["root_offset"], about["root_size"], file)
        return cls(file)

    def copy(self, file: Path) -> "Root":
        """Another one like it."""
        subprocess.run(["cp", "--sparse=always", self.file, file], check=True)
        return Root(file)

    def read(self, path: str) -> str:
        """A file's text."""
        return self._debugfs(f"cat {path}", write=False)

    def put(self, files: Mapping[str, str]) -> "Root":
        """Other texts in files that are there; what Python compiled of them is taken away."""
        for path, text in files.items():
            mode = next(line for line in self._debugfs(f"stat {path}", write=False).split("\n") if "Mode:" in line)
            given = self.file.with_suffix(".put")
            given.write_text(text)
            self._debugfs(f"rm {path}")
            self._debugfs(f"write {given} {path}")
            self._debugfs(f"set_inode_field {path} mode 010{mode.split('Mode:')[1].split()[0]}")
            folder, _, name = path.rpartition("/")
            if name.endswith(".py"):
                self._debugfs(f"rm {folder}/__pycache__/{name.removesuffix('.py')}.cpython-313.pyc")
        assert all(self.read(path) == text for path, text in files.items())
        return self

    def _debugfs(self, order: str, *, write: bool = True) -> str:
        argv = ["debugfs", *(["-w"] if write else []), "-R", order, self.file]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def make(root: Root, version: str, into: Path) -> Path:
    """A bundle with this root, signed. The root's file is used up."""
    content = into / f"content-{version}"
    content.mkdir()
    root.file.rename(content / "root.img")
    (content / "manifest.raucm").write_text(bundle.manifest(version, f"build-of-{version}"))
    by, made = signer(), into / f"appliance-{version}.raucb"
    words = tools.program(tools.build(CACHE), "usr/bin/rauc")
    signed = [f"--cert={by.certificate}", f"--key={by.key}", f"--mksquashfs-args={bundle.SQUASH}"]
    subprocess.run([*words, "bundle", *signed, content, made], check=True, capture_output=True)
    shutil.rmtree(content)
    return made
