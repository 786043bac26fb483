"""A seed on a real FAT file system, applied by the real privileged helper to a computer of paper."""

import errno
import io
import os
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from flashed_computer import MACS, SEED, Flashed, answers, flashed, put
from test_seed import HASH, KEY

from appliance import config
from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.privileged.ssh import KEYS
from appliance.privileged.verbs.network import Status
from appliance.privileged.verbs.ssh import Authorize
from appliance.setup import left, seed_partition
from appliance.setup.apply_seed import WAITS, apply
from appliance.setup.seed import SeedError, parse
from appliance.store import accounts, subnet_rules
from appliance.store.store import open_store
from appliance.web.passwords import Passwords, default_hasher


async def test_a_seed_is_applied_once_and_its_secret_leaves_the_partition(box: Flashed, partition: Path) -> None:
    put(partition, SEED)
    assert "the seed was applied: boot.rack.example" in await apply(partition, box.places, box.appliance)
    assert config.parse(box.configuration().read_text(), "x").subnet[0].interface == "nic1"
    assert (await box.helper.call(Status())).trial is None, "nobody is there to confirm it"
    assert HASH.encode() not in partition.read_bytes()
    text = seed_partition.read(partition)
    assert text is not None
    assert 'name = "eva"' in text, "the rest is there to be read"
    ran = len(box.programs.ran)
    assert await apply(partition, box.places, box.appliance) == "this seed was applied already"
    assert len(box.programs.ran) == ran


async def test_a_seed_on_the_installers_stick_is_for_the_disk(box: Flashed, partition: Path) -> None:
    """Nothing is changed, cleared or served from a stick; the disk gets the partition as it is, and applies it."""
    put(partition, SEED)
    whole = partition.read_bytes()
    stick = replace(box.places, is_installer=True)
    assert await apply(partition, stick, box.appliance) == WAITS
    assert partition.read_bytes() == whole, "its hash, too, goes to the disk"
    assert box.programs.ran == []
    assert not box.configuration().exists()
    assert not box.places.state_dir.exists()
    put(partition, SEED.replace("10.77.0.1/24", "10.77.0.300/24"))
    with pytest.raises(SeedError):
        await apply(partition, stick, box.appliance)
    put(partition, SEED)
    assert "the seed was applied" in await apply(partition, box.places, box.appliance), "on the disk, then"


async def test_a_seed_that_was_applied_loses_its_secret_although_the_power_went(box: Flashed, partition: Path) -> None:
    put(partition, SEED)
    before = partition.read_bytes()
    await apply(partition, box.places, box.appliance)
    partition.write_bytes(before)
    assert await apply(partition, box.places, box.appliance) == "this seed was applied already"
    assert HASH.encode() not in partition.read_bytes()


async def test_what_belongs_to_the_daemon_is_taken_up_by_it(box: Flashed, partition: Path) -> None:
    put(partition, SEED.replace("nat = true", 'dhcp = "reservations"'))
    await apply(partition, box.places, box.appliance)
    state_dir = box.places.state_dir
    assert (state_dir / left.FILE).stat().st_mode & 0o777 == 0o600
    assert state_dir.stat().st_mode & 0o777 == 0o700
    async with open_store(state_dir / "store.db") as store:
        assert await left.take_up(store, Bus(), state_dir, 1.0)
        assert not (state_dir / left.FILE).exists()
        (user,) = await store.read(accounts.users)
        assert (user.name, user.role, user.password) == ("eva", "admin", HASH)
        assert (await store.read(subnet_rules.every))["nic1"]["mode"] == "reservations"
        assert not await left.take_up(store, Bus(), state_dir, 2.0)


def _audited(db: sqlite3.Connection) -> list[tuple[str, bytes]]:
    return list(db.execute("SELECT action, doc FROM audit"))


async def test_keys_in_a_seed_are_let_in_without_any_password(box: Flashed, partition: Path) -> None:
    text = SEED.replace(f'password_hash = "{HASH}"', f'ssh_keys = ["{KEY}"]')
    assert HASH not in text
    put(partition, text)
    await apply(partition, box.places, box.appliance)
    assert (box.on.roots.state / KEYS).read_text().endswith(f"\n{KEY}\n")
    assert "systemctl --no-block start ssh.service" in box.ran("systemctl")
    async with open_store(box.places.state_dir / "store.db") as store:
        assert await left.take_up(store, Bus(), box.places.state_dir, 1.0)
        assert await store.read(accounts.users) == [], "the link on the screen still makes the account"
        noted = [after for action, after in await store.read(_audited) if action == "ssh.authorize"]
        assert "ada@laptop" in str(noted)


@pytest.mark.parametrize("fails", ["wipefs", "hostname", "nft"])
async def test_a_seed_that_could_not_be_carried_out_lets_nobody_in(tmp_path: Path, fails: str) -> None:
    seed = tmp_path / "seed.toml"
    seed.write_text(SEED.replace(f'password_hash = "{HASH}"', f'ssh_keys = ["{KEY}"]'))
    async with flashed(tmp_path, answers() | {fails: ApplianceError("program-failed", f"{fails}: no")}) as box:
        with pytest.raises(ApplianceError):
            await apply(seed, box.places, box.appliance)
        assert not (box.on.roots.state / KEYS).exists()
        assert not (box.places.state_dir / left.FILE).exists()


async def test_nobody_is_let_in_without_a_word_of_it(box: Flashed, tmp_path: Path) -> None:
    seed = tmp_path / "seed.toml"
    seed.write_text(SEED.replace(f'password_hash = "{HASH}"', f'ssh_keys = ["{KEY}"]'))
    box.places.state_dir.write_text("where its directory should be")
    with pytest.raises(ApplianceError):
        await apply(seed, box.places, box.appliance)
    assert not (box.on.roots.state / KEYS).exists()


async def test_set_up_without_keys_leaves_those_that_are_let_in(box: Flashed) -> None:
    await box.helper.call(Authorize((KEY,)))
    await box.appliance.write(parse(SEED, "x"))
    await box.appliance.let_in(parse(SEED, "x"))
    assert (box.on.roots.state / KEYS).exists()


async def test_a_seed_makes_no_second_administrator(tmp_path: Path) -> None:
    left.leave(parse(SEED, "x"), tmp_path, (-1, -1))
    async with open_store(tmp_path / "store.db") as store:
        await store.write(lambda db: accounts.add_user(db, accounts.User("ada", "x", "admin", 0.0)))
        assert await left.take_up(store, Bus(), tmp_path, 1.0)
        assert [each.name for each in await store.read(accounts.users)] == ["ada"]


async def test_what_was_left_and_cannot_be_read_keeps_nobody_from_starting(tmp_path: Path) -> None:
    (tmp_path / left.FILE).write_text("{")
    async with open_store(tmp_path / "store.db") as store:
        assert not await left.take_up(store, Bus(), tmp_path, 1.0)


async def test_the_hash_in_a_seed_lets_its_password_in() -> None:
    hasher = default_hasher()
    made = hasher.hash("correct horse battery")
    stored = parse(SEED.replace(HASH, made), "x").account.password_hash
    assert await Passwords(hasher).matches(stored, "correct horse battery")


def _changed(old: str, new: str) -> str:
    assert old in SEED
    return SEED.replace(old, new)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[management", "seed.toml: "),
        (_changed("nic1", "nic7"), "seed.toml:18: [provisioning] nic nic7 is not in this computer"),
        (_changed(MACS["nic0"].upper(), "52:54:00:ff:ff:ff"), "seed.toml:12: [management] nic"),
        (_changed("WD-1", "OWN"), "itself runs from"),
        (_changed("WD-1", "WD-9"), "seed.toml:25: [storage] data_disks WD-9 is no disk"),
        (_changed("WD-1", "BUSY"), "seed.toml:25: [storage] data_disks BUSY cannot be chosen: it is mounted on /srv"),
        (_changed("WD-1", "S"), "seed.toml:25: [storage] data_disks S and 0x5002538f are the same disk"),
        (_changed("Europe/Vienna", "Europe/Wien"), "seed.toml:8: [site] time_zone Europe/Wien"),
    ],
)
async def test_a_wrong_seed_changes_nothing(box: Flashed, partition: Path, text: str, wrong: str) -> None:
    put(partition, text)
    before = partition.read_bytes()
    with pytest.raises(SeedError) as caught:
        await apply(partition, box.places, box.appliance)
    assert wrong in caught.value.message
    assert caught.value.hint
    assert partition.read_bytes() == before
    assert not box.configuration().exists()
    assert not box.places.kept.exists()
    assert not box.places.state_dir.exists()
    assert box.ran("networkctl", "wipefs", "hostname") == []


async def test_a_partition_without_a_seed(box: Flashed, partition: Path, tmp_path: Path) -> None:
    assert "there is no seed.toml" in await apply(partition, box.places, box.appliance)
    assert "there is no seed.toml" in await apply(tmp_path / "missing", box.places, box.appliance)


async def test_a_seed_that_is_no_text(box: Flashed, partition: Path, tmp_path: Path) -> None:
    for content in (b"\xff\xfe[", b"#" * (seed_partition.LARGEST + 1)):
        (tmp_path / "x").write_bytes(content)
        subprocess.run(["mcopy", "-o", "-i", partition, tmp_path / "x", "::seed.toml"], check=True)
        with pytest.raises(ApplianceError) as caught:
            await apply(partition, box.places, box.appliance)
        assert caught.value.code == "seed-unreadable"


async def test_a_seed_goes_on_where_a_power_cut_ended_it(tmp_path: Path, partition: Path) -> None:
    put(partition, SEED)
    said = answers() | {"vgcreate": ApplianceError("program-failed", "the power went")}
    async with flashed(tmp_path, said) as box:
        with pytest.raises(ApplianceError, match="power"):
            await apply(partition, box.places, box.appliance)
        assert HASH.encode() in partition.read_bytes()
        box.programs.answers["vgcreate"] = ""
        assert "applied: boot" in await apply(partition, box.places, box.appliance)


class Disk(io.FileIO):
    """The kernel refuses to go beyond the end of a block device (lseek(2): EINVAL); of a file, it does not."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_SET and offset > os.fstat(self.fileno()).st_size:
            raise OSError(errno.EINVAL, "Invalid argument")
        return super().seek(offset, whence)


def opened_as_disk(path: Path, mode: str) -> io.BufferedRandom:
    assert mode == "r+b"
    return io.BufferedRandom(Disk(path, "r+"))


def test_secrets_are_found_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed_partition, "PIECE", 64)
    secret = HASH[:40]
    path = tmp_path / "partition"
    for offset in range(0, 200, 7):
        content = (b"x" * offset + secret.encode() + b"y" * 30 + secret.encode()).ljust(400, b"z")
        path.write_bytes(content)
        monkeypatch.setattr(Path, "open", opened_as_disk)
        assert seed_partition.take_away(path, secret) == 2
        monkeypatch.undo()
        monkeypatch.setattr(seed_partition, "PIECE", 64)
        after = path.read_bytes()
        assert secret.encode() not in after
        assert len(after) == len(content)
        assert after[:offset] == b"x" * offset
