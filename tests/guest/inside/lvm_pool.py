"""A pool of LVM in the guest, on its scratch disks, with the appliance's own settings of LVM.

As a program (``python3 -m tests.guest.inside.lvm_pool begin KIND | do DEED STEPS | extend STEPS | more | again |
end``), for the host, which kills it or takes power away: ``begin`` makes a pool; ``do`` puts volumes into it and does a
deed, and says ``now`` when the change after so many begins, or ``end``; ``extend`` the same with one more disk for the
pool, which ``more`` finishes; ``again`` mends, and says as JSON how all is then.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from appliance.privileged import free_disks
from appliance.privileged.computer import Computer, Roots, Says
from appliance.privileged.disks import contents
from appliance.privileged.lvm import groups
from appliance.privileged.verbs.lvm_pools import ExtendPool, GrowPool, MakePool, Part
from appliance.privileged.verbs.lvm_seen import pool_of
from appliance.reconcile.pool_news import given_by_disk
from appliance.storage.driver import PoolDriver
from appliance.storage.lvm import LvmPool
from appliance.volume import Volume
from tests.contract.lvm_bench import LOOKS, Direct, LvmBench
from tests.contract.storage_deeds import DEEDS, Kept, arranged, state, to_fill
from tests.guest.inside.disks import Disks
from tests.guest.inside.programs import run

IMAGE = Path("/qrm/image-builder/appliance/root/etc/lvm")
LOCAL, LISTED = Path("/etc/lvm/lvmlocal.conf"), Path("/etc/lvm/devices/system.devices")
NAME = "qrm"
FOREIGN = ("v-00000000000000ff", "root")
"""Logical volumes that are as like to ours as they can be."""


def as_appliance() -> None:
    """LVM's settings, and a list of devices with nothing in it."""
    LISTED.parent.mkdir(parents=True, exist_ok=True)
    LOCAL.write_text((IMAGE / "lvmlocal.conf").read_text())
    LISTED.write_text((IMAGE / "devices/system.devices").read_text())


def as_before() -> None:
    """The guest's own."""
    for each in groups_seen():
        subprocess.run(["vgchange", "--activate", "n", each], check=False, capture_output=True)
    LOCAL.unlink(missing_ok=True)
    LISTED.unlink(missing_ok=True)


def groups_seen() -> list[str]:
    """Names of groups that LVM uses."""
    return run("vgs", "--noheadings", "--options", "vg_name").split()


def computer() -> Computer:
    """This one, but for its state partition."""
    return Computer(Roots(state=Path("/run/qrm-lvm-state")))


async def make(on: Computer, disks: Sequence[Path], *, thin: bool, name: str = NAME) -> str:
    """A pool of whole disks, as the helper makes it; the UUID of its group."""
    listed = await free_disks.listed(on)
    found = {each["name"]: each for each in listed}
    chosen = [found[disk.name] for disk in disks]
    parts = tuple(Part(str(each["serial"]), holds=tuple(contents(each))) for each in chosen)
    await Direct(on).call(MakePool(name, parts, thin))
    return await uuid_of(on, name)


async def uuid_of(on: Computer, name: str = NAME) -> str:
    """Of a group that is there once."""
    (found,) = [each.uuid for each in await groups(on, live=False) if each.name == name]
    return found


class GuestBench(LvmBench):
    """With volumes that are devices, and udev, which looks into each that was written."""

    def write(self, volume: Volume, at: int, data: bytes) -> None:
        super().write(volume, at, data)
        run("udevadm", "settle")

    @contextlib.contextmanager
    def hold(self, volume: Volume) -> Iterator[None]:
        with super().hold(volume):
            yield
        run("udevadm", "settle")

    def _rows(self) -> list[dict[str, str]]:
        columns = "vg_uuid,lv_name,lv_uuid,lv_size,lv_tags,lv_layout"
        said = run("lvs", "--reportformat", "json", "--units", "b", "--options", columns)
        rows: list[dict[str, str]] = json.loads(said)["report"][0]["lv"]
        return [each for each in rows if each["vg_uuid"] == self.group]

    def things(self) -> int:
        return sum(each["lv_layout"] != "thin,pool" for each in self._rows())

    def put_foreign(self) -> None:
        """With a name of ours and no tag of ours, with tags of ours and another name."""
        for name, tags in zip(
            FOREIGN, (["qrm.name=web1"], ["qrm.id=000000000000001a", "qrm.state=making"]), strict=True
        ):
            words = [word for tag in tags for word in ("--addtag", tag)]
            run("lvcreate", "--yes", "--size", "8m", "--name", name, *words, NAME)

    def foreign(self) -> object:
        return [each for each in self._rows() if each["lv_name"] in FOREIGN]

    def take_away(self) -> None:
        run("vgchange", "--yes", "--deltag", "qrm.pool", NAME)


class Telling:
    """Says ``now`` on standard output when the change after so many is about to begin."""

    def __init__(self, run: Says, steps: int) -> None:
        self._run, self._steps = run, steps

    async def __call__(self, argv: Sequence[str], /, seconds: float = 30.0) -> str:
        """The host does what it does while this runs, or after it."""
        if not " ".join(argv).startswith(LOOKS):
            if self._steps == 0:
                say("now")
            self._steps -= 1
        return await self._run(argv, seconds)


def say(line: str) -> None:
    """To the host."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def plain(kept: Kept) -> dict[str, list[object]]:
    """As JSON has it."""
    return {str(key): list(each) for key, each in kept.items()}


async def begin(kind: str) -> None:
    """What a deed is before and after it, for each deed, is the same on any pool of this kind."""
    as_appliance()
    await make(computer(), Disks().scsi[:1], thin=kind == "thin")
    run("sync")


async def bench() -> GuestBench:
    """Of the pool that is there."""
    on = computer()
    (found,) = [each for each in await groups(on, live=False) if each.name == NAME]
    return GuestBench(on, found.uuid, thin=found.thin_pool is not None)


async def do(name: str, steps: int) -> None:
    """The volumes as they are before and after the deed are said first; then they are put there again."""
    (deed,) = [each for each in DEEDS if each.name == name]
    made = await bench()
    await arranged(made)
    before = await state(made)
    await deed.do(made.pool(), to_fill(made))
    say(json.dumps([plain(before), plain(await state(made))]))
    await arranged(made)
    run("sync")
    on = replace(made.on, run=Telling(made.on.run, steps))
    driver: PoolDriver = LvmPool(Direct(on), made.group)
    await deed.do(driver, to_fill(made))
    say("end")


async def _one_more(on: Computer, group: str) -> None:
    """As ``reconcile/pool_deeds`` does it, which asks for the same once more after it was cut off."""
    listed = await free_disks.listed(on)
    serial = next(str(each["serial"]) for each in listed if each["name"] == Disks().scsi[1].name)
    await Direct(on).call(ExtendPool(group, Part(serial)))
    (found,) = [each for each in await groups(on, live=False) if each.uuid == group]
    given = given_by_disk(pool_of(found))
    if given.data or given.metadata:
        await Direct(on).call(GrowPool(group, given.data, given.metadata))


async def extend(steps: int) -> None:
    """The volumes as they are are said first: a change of the pool is none of theirs."""
    made = await bench()
    await arranged(made)
    say(json.dumps(plain(await state(made))))
    run("sync")
    await _one_more(replace(made.on, run=Telling(made.on.run, steps)), made.group)
    say("end")


async def more() -> None:
    """How many disks it has then, and how many bytes for data."""
    made = await bench()
    await _one_more(made.on, made.group)
    pool = await made.pool().look()
    say(json.dumps({"members": len(pool.members), "data": pool.data.total}))


async def again() -> None:
    """After a power cut the list of devices is gone: the appliance has it on its state partition."""
    if not LOCAL.exists():
        as_appliance()
        run("lvm", "vgimportdevices", "--yes", "--all")
    made = await bench()
    said = await made.pool().mend()
    twice = await made.pool().mend()
    pool = await made.pool().look()
    troubles = [each.trouble for each in pool.volumes if each.trouble]
    found = {"state": plain(await state(made)), "mended": said, "twice": twice, "things": made.things()}
    say(json.dumps({**found, "troubles": [*troubles, *filter(None, [pool.trouble])]}))


def main() -> None:
    """For the host."""
    match sys.argv[1:]:
        case ["begin", kind]:
            asyncio.run(begin(kind))
        case ["do", name, steps]:
            asyncio.run(do(name, int(steps)))
        case ["extend", steps]:
            asyncio.run(extend(int(steps)))
        case ["more"]:
            asyncio.run(more())
        case ["again"]:
            asyncio.run(again())
        case ["end"]:
            as_before()


if __name__ == "__main__":
    main()
