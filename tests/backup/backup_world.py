"""A small state to back up, without a daemon: keys, a user, an image, a kernel, and a configuration file."""

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from appliance import certificates
from appliance.backup import make, restore
from appliance.catalogue import Image, ImageId, Kernel, KernelId
from appliance.store import accounts, catalogue
from appliance.store.accounts import User
from appliance.store.store import open_store

NOW = 1_795_200_000.0
PASSPHRASE = "a horse on a bicycle"
IMAGE, VMLINUZ = b"image" * 100_000, b"kernel" * 1000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class State:
    """A state directory and its configuration file below ``path``."""

    def __init__(self, path: Path, user: str = "ada") -> None:
        self.directory, self.config = path / "state", path / "qrm.toml"
        self.directory.mkdir(mode=0o700, parents=True)
        self.config.write_text(f'# ours\n[site]\nstate_dir = "{self.directory}"\ndomain = "old.test"\n')
        self.fingerprint = certificates.authority(self.directory, NOW).fingerprint
        for name in ("images", "kernels"):
            (self.directory / name).mkdir()
        (self.directory / "images" / "1").write_bytes(IMAGE)
        (self.directory / "kernels" / "1.vmlinuz").write_bytes(VMLINUZ)
        asyncio.run(self._fill(user))

    async def _fill(self, user: str) -> None:
        image = Image(ImageId(0), "debian", "", "raw", len(IMAGE), len(IMAGE), sha256(IMAGE), 512, NOW)
        kernel = Kernel(KernelId(0), "six", "6.12", "", sha256(VMLINUZ), None, NOW)
        async with open_store(self.directory / "store.db") as store:
            await store.write(lambda db: accounts.add_user(db, User(user, "hash", "admin", NOW)))
            await store.write(lambda db: catalogue.add_image(db, image))
            await store.write(lambda db: catalogue.put_kernel(db, kernel))

    def backup(self, target: Path, passphrase: str | None = None, **more: object) -> Path:
        make.make(make.Order(self.config, target, "here", NOW, passphrase, **more))
        return target


def spoil(store: Path) -> None:
    """Damage a page in the middle of a store, as a dying disk does."""
    content = bytearray(store.read_bytes())
    content[4096 * 3 : 4096 * 3 + 200] = b"\xff" * 200
    store.write_bytes(content)


def users(state_dir: Path) -> list[str]:
    """Who has an account in a state that no daemon runs on."""
    with closing(sqlite3.connect(state_dir / "store.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [name for (name,) in db.execute("SELECT name FROM users ORDER BY name")]


def restored(backup: Path, config: Path, passphrase: str | None = None, **more: object) -> restore.Outcome:
    return restore.restore(restore.Order(backup, config, lambda: passphrase, NOW, **more))


def is_whole(state_dir: Path, user: str, fingerprint: str) -> bool:
    """Whether the directory is the complete state of this user and this authority."""
    key = (state_dir / "authority.pem").read_bytes()
    return users(state_dir) == [user] and certificates.parse_authority(key).fingerprint == fingerprint


def everything(path: Path) -> dict[str, str]:
    """Each file below a directory, with its checksum."""
    files = [each for each in path.rglob("*") if each.is_file()]
    return {str(each.relative_to(path)): sha256(each.read_bytes()) for each in files}
