"""What every driver promises, of pools of LVM, with an LVM of paper: thin and thick, cut off at every step."""

import contextlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from appliance.errors import Conflict
from appliance.privileged.computer import Computer, Roots
from appliance.privileged.verbs.lvm import THIN_POOL_NAME
from appliance.privileged.verbs.lvm_tags import POOL, THIN_POOL
from appliance.privileged.verbs.lvm_volumes import Create
from appliance.storage.memory import CutOff
from appliance.volume import NewVolume, Volume
from tests.contract.lvm_bench import Direct, LvmBench
from tests.contract.storage_bench import ONE, TWO, holds, made, marks
from tests.contract.storage_deeds import DEEDS, Deed, a_walk, cut_off
from tests.contract.storage_promises import PROMISES
from tests.privileged.paper_lvm import Group, PaperLvm

MIB = 1 << 20


class PaperBench(LvmBench):
    """With a group of 256 MiB, and a thin pool in it or not."""

    def __init__(self, directory: Path, thin: bool) -> None:
        roots = Roots.below(directory)
        self.lvm = PaperLvm(roots.dev)
        made = self.lvm.groups["qrm"] = Group(["/dev/sdb"], tags={POOL})
        if thin:
            self.lvm.put("qrm", THIN_POOL_NAME, 192 * MIB, {THIN_POOL}, "thin-pool").metadata = 8 * MIB
        super().__init__(Computer(roots, self.lvm), made.uuid, thin)

    @contextlib.contextmanager
    def hold(self, volume: Volume) -> Iterator[None]:
        name = f"qrm/{Path(volume.path).name}"
        self.lvm.open.add(name)
        yield
        self.lvm.open.remove(name)

    def _others(self) -> dict[str, object]:
        logical = self.lvm.groups["qrm"].logical if self.lvm.groups else {}
        return {name: each for name, each in logical.items() if each.kind != "thin-pool"}

    def things(self) -> int:
        return len(self._others())

    def put_foreign(self) -> None:
        """With a name of ours and no tag, with a tag of ours and another name, and a group that is called so."""
        self.lvm.put("qrm", "v-00000000000000ff", 4 * MIB, {"qrm.name=web1"})
        self.lvm.put("qrm", "root", 4 * MIB, {"qrm.id=000000000000001a", "qrm.state=making"})
        self.lvm.groups["qrm-data"] = Group(["/dev/sdc"], tags={POOL})
        self.lvm.put("qrm-data", "v-000000000000001a", 4 * MIB, {"qrm.id=000000000000001a"})

    def foreign(self) -> object:
        ours = {name: repr(each) for name, each in self._others().items() if name in ("v-00000000000000ff", "root")}
        other = {name: repr(each) for name, each in self.lvm.groups.items() if name != "qrm"}
        return [*sorted(ours.items()), *sorted(other.items())]

    def take_away(self) -> None:
        self.lvm.groups.clear()


@pytest.fixture(params=["thin", "thick"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> PaperBench:
    return PaperBench(tmp_path, request.param == "thin")


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_it_promises(bench: PaperBench, promise) -> None:
    await promise(bench)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
async def test_it_is_whole_wherever_it_was_cut_off(bench: PaperBench, deed: Deed) -> None:
    assert await cut_off(bench, deed) > 0


async def test_what_is_being_rolled_back_is_not_made_anew(bench: PaperBench) -> None:
    """Its id is taken, although nothing is whole under its name at that moment."""
    pool = await made(bench, ONE, "web1")
    await pool.copy(ONE, NewVolume(TWO, "kept", 8 * MIB, True))
    tell = "cut off while it was rolled back"
    for steps in count():
        with pytest.raises(CutOff):
            await bench.cut(steps).roll_back(ONE, TWO)
        (one, _) = (await bench.pool().look()).volumes
        if tell in one.trouble:
            break
    with pytest.raises(Conflict, match="rolled back"):
        await Direct(bench.on).call(Create(bench.group, ONE, "web1", 8 * MIB, 1))
    await bench.pool().create(NewVolume(ONE, "web1", 8 * MIB))
    assert await holds(bench, ONE, *marks()), "it was there, and is"


async def test_it_does_what_memory_does(tmp_path: Path) -> None:
    await a_walk(PaperBench(tmp_path, thin=True), 1, 60)
