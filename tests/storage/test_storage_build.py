"""The table of drivers: every kind of pool has one, and building it does nothing."""

import pytest

from appliance.storage.build import DRIVERS, Surroundings, driver
from appliance.storage.directory import prepare
from appliance.storage.lvm import LvmPool
from appliance.volume import GRAIN, NewVolume, PoolKind, VolumeId

WEB = NewVolume(VolumeId("0" * 16), "web1", GRAIN)


class Silent:
    """A helper that must not be asked."""

    async def call(self, verb, hears=None, /):
        raise AssertionError(verb)


@pytest.mark.parametrize("kind", PoolKind)
def test_every_kind_has_a_driver_and_building_it_asks_nobody(kind, tmp_path):
    driver(kind, str(tmp_path / "nowhere"), Surroundings(Silent(), lambda: 1.0))
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_whole():
    assert set(DRIVERS) == set(PoolKind)
    for kind in (PoolKind.LVM_THIN, PoolKind.LVM_THICK):
        assert isinstance(driver(kind, "uuid", Surroundings(Silent(), lambda: 1.0)), LvmPool)


@pytest.mark.parametrize("kind", [PoolKind.DIRECTORY, PoolKind.MEMORY])
async def test_what_one_driver_made_the_next_one_finds(kind, tmp_path):
    prepare(tmp_path)
    on = Surroundings(Silent(), lambda: 5.0)
    await driver(kind, str(tmp_path), on).create(WEB)
    seen = await driver(kind, str(tmp_path), on).look()
    assert seen.kind is kind
    assert [(each.id, each.name, each.created) for each in seen.volumes] == [(WEB.id, "web1", 5.0)]
    (tmp_path / "other").mkdir()
    prepare(tmp_path / "other")
    assert (await driver(kind, str(tmp_path / "other"), on).look()).volumes == ()
