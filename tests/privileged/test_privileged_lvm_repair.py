"""The metadata of a thin pool are checked and repaired, and of nothing that is in use."""

from pathlib import Path

import pytest

from appliance.privileged.verbs.lvm import THIN_POOL_NAME
from appliance.privileged.verbs.lvm_repair import Examine, Repair
from appliance.privileged.verbs.lvm_tags import OLD_METADATA
from tests.privileged.lvm_box import MIB, ONE, Box
from tests.privileged.paper_lvm import failed


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


async def test_metadata_that_are_sound(box: Box) -> None:
    await box.made()
    found = await box.do(Examine(box.ours.uuid))
    assert (found.sound, found.said) == (True, "")
    assert len(found.steps) == 4
    assert box.ours.logical[f"v-{ONE}"].active, "it is there again"


async def test_metadata_that_are_not_are_repaired_when_it_is_asked_for(box: Box) -> None:
    await box.made()
    box.lvm.said["thin_check"] = failed("missing details for device 1")
    found = await box.do(Examine(box.ours.uuid))
    assert not found.sound
    assert "missing details" in found.said
    assert not box.ours.logical[f"v-{ONE}"].active, "nobody is to write to it"
    await box.refused("pool-name-differs", Repair(box.ours.uuid, "other"))
    await box.do(Repair(box.ours.uuid, "qrm"))
    assert box.ours.logical[f"v-{ONE}"].active
    assert box.ours.logical["pool_meta0"].tags == {OLD_METADATA}


async def test_what_is_used_is_not_taken_away_for_a_repair(box: Box) -> None:
    await box.made()
    box.lvm.open.add(f"qrm/v-{ONE}")
    await box.refused("volume-in-use", Examine(box.ours.uuid))
    await box.refused("volume-in-use", Repair(box.ours.uuid, "qrm"))
    box.lvm.open.clear()
    box.lvm.put("qrm", "mine", MIB, set(), "thin", THIN_POOL_NAME)
    await box.refused("volume-in-use", Repair(box.ours.uuid, "qrm"))
