"""A bench for storage's promises: a pool in a directory of whatever file system tests have."""

import os
import subprocess

from appliance.storage.content import share
from appliance.storage.directory import VOLUMES, DirectoryPool, prepare
from appliance.storage.memory import CutOff
from appliance.volume import Filling, Format
from tests.contract.storage_bench import Bench


class DirectoryBench(Bench):
    """``path`` has the pool, which says that it is empty however full its file system is; ``aside`` what tests need."""

    def __init__(self, path, aside=None):
        self.place, self.aside, self.left = path / "pool", aside or path / "aside", None
        self.place.mkdir()
        self.aside.mkdir(exist_ok=True)
        prepare(self.place)
        self.at_once = shares_blocks(path)
        self._own, self._known = set(), {}

    @classmethod
    def over(cls, place, aside):
        """One over a pool that is there."""
        bench = cls.__new__(cls)
        bench.place, bench.aside, bench.left, bench._own, bench._known = place, aside, None, set(), {}
        return bench

    def pool(self):
        return DirectoryPool(self.place, room=lambda _: Filling(1 << 30, 0))

    def cut(self, steps):
        self.left = steps
        return DirectoryPool(self.place, room=lambda _: Filling(1 << 30, 0), step=self._step)

    def _step(self):
        if self.left == 0:
            raise CutOff
        self.left -= 1

    def write(self, volume, at, data):
        if volume.format is Format.RAW:
            with open(volume.path, "r+b") as file:
                file.seek(at)
                file.write(data)
            return
        pattern = self.aside / "pattern"
        pattern.write_bytes(data)
        quick = f"write -q -s {pattern} {at} {len(data)}"
        subprocess.run(["qemu-io", "-f", volume.format, "-c", quick, volume.path], check=True)

    def read(self, volume, at, size):
        if volume.format is Format.RAW:
            with open(volume.path, "rb") as file:
                file.seek(at)
                return file.read(min(size, volume.size - at))
        return self._content(volume.path)[at : min(at + size, volume.size)]

    def _content(self, path):
        """All of an image, as QEMU reads it; once for as long as it stays the same."""
        found = os.stat(path)
        known = (path, found.st_ino, found.st_mtime_ns, found.st_size)
        if known not in self._known:
            raw = self.aside / "raw"
            subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw], check=True)
            self._known = dict([*self._known.items()][-3:]) | {known: raw.read_bytes()}
        return self._known[known]

    def hold(self, volume):
        return open(volume.path, "r+b")

    def filling(self):
        return self.aside

    def things(self):
        return len(os.listdir(self.place / VOLUMES)) - len(self._own)

    def put_foreign(self):
        """All that could be taken for a volume, or lead elsewhere."""
        outside, volumes = self.aside / "outside", self.place / VOLUMES
        before = set(os.listdir(volumes))
        outside.write_bytes(b"of somebody else")
        for name in ("notes.txt", "00000000000000ff.raw", "00000000000000fe.coming", "00000000000000fd.json.part"):
            (volumes / name).write_bytes(b"of somebody else")
        (volumes / "00000000000000fc.json").write_bytes(b'{"qrm": "else"}')
        (volumes / "00000000000000fb.json").symlink_to(outside)
        (volumes / "00000000000000fa.removing").mkdir()
        (volumes / "lost+found").mkdir()
        os.mkfifo(volumes / "00000000000000f9.making")
        self._own = set(os.listdir(volumes)) - before

    def foreign(self):
        volumes = self.place / VOLUMES
        left = {name: os.lstat(volumes / name) for name in os.listdir(volumes) if name in self._own}
        return {name: (found.st_ino, found.st_mtime_ns, found.st_size) for name, found in left.items()}

    def saved(self):
        aside = self.aside / VOLUMES
        subprocess.run(["cp", "-a", self.place / VOLUMES, aside], check=True)

        def restore():
            subprocess.run(["rm", "-r", self.place / VOLUMES], check=True)
            subprocess.run(["cp", "-a", aside, self.place / VOLUMES], check=True)

        return restore

    def take_away(self):
        (self.place / VOLUMES).rmdir()


def shares_blocks(path):
    """Whether the file system can, found out without the driver."""
    with open(path / "one", "w+b") as one, open(path / "other", "wb") as other:
        return share(one.fileno(), other.fileno())
