"""What VMs use in a second: countings that go back, are missed, or come too soon make no figure that is not true."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.vm import VmId
from appliance.vm_figure import DiskRate, NicRate
from appliance.vm_usage import FIGURES, DiskUse, NicUse, Rates, Usage, rates

ID = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
DISK, NIC = DiskUse("sda", 1000, 2000, 10, 20), NicUse(0, "vnet3", 5000, 7000)
BEFORE = Usage(ID, 4, 10**9, 1 << 30, 1 << 29, (DISK,), (NIC,))
AFTER = replace(
    BEFORE,
    cpu=16 * 10**9,
    memory=2 << 30,
    disks=(DiskUse("sda", 2000, 2500, 110, 21),),
    nics=(NicUse(0, "vnet3", 5000, 8000),),
)
COUNTS = st.integers(0, 1 << 63)


def test_what_was_counted_in_ten_seconds():
    found = rates(BEFORE, AFTER, 10.0)
    assert found == Rates(1.5, 2 << 30, 1 << 29, (DiskRate("sda", 100.0, 50.0, 10.0, 0.1),), (NicRate(0, 0.0, 100.0),))
    assert dict(zip(FIGURES, found.figures, strict=True)) == {
        "cpu": 1.5, "memory": 2 << 30, "used": 1 << 29, "read": 100.0, "written": 50.0, "reads": 10.0, "writes": 0.1,
        "received": 0.0, "sent": 100.0,
    }  # fmt: skip


def test_rounds_that_were_missed_are_one_long_one():
    assert rates(BEFORE, AFTER, 60.0).cpu == 0.25


@pytest.mark.parametrize(
    ("before", "seconds"),
    [(None, 10.0), (replace(BEFORE, run=3), 10.0), (replace(BEFORE, cpu=17 * 10**9), 10.0), (BEFORE, 0.0)],
    ids=["the first", "started again", "counts again from zero", "no time between"],
)
def test_nothing_is_said_of_what_began_anew(before, seconds):
    assert rates(before, AFTER, seconds) == Rates(memory=2 << 30, used=1 << 29)


def test_a_vm_that_is_off_uses_nothing_that_is_known():
    assert rates(AFTER, Usage(ID, None), 10.0) == Rates()


def test_a_disk_that_was_put_in_is_known_the_next_time_and_the_others_at_once():
    found = rates(BEFORE, replace(AFTER, disks=(*AFTER.disks, DiskUse("sdb", 1 << 40, 0, 1, 0))), 10.0)
    assert [each.target for each in found.disks] == ["sda"]
    assert found.figures[FIGURES.index("read")] == 100.0


def test_a_card_in_the_place_of_another_is_not_taken_for_it():
    found = rates(BEFORE, replace(AFTER, nics=(NicUse(0, "vnet9", 1 << 40, 1 << 40),)), 10.0)
    assert found.nics == ()


def test_a_host_that_could_not_tell_of_disks_at_once_tells_of_the_rest():
    found = rates(BEFORE, replace(AFTER, disks=None), 10.0)
    assert (found.cpu, found.disks) == (1.5, None)
    assert found.figures[FIGURES.index("written")] is None


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.floats(-1e6, 1e6, allow_nan=False))
def test_no_rate_is_ever_below_zero(cpu, read, sent, cpu_after, read_after, sent_after, seconds):
    before = Usage(ID, 1, cpu, 0, 0, (DiskUse("sda", read, 0, 0, 0),), (NicUse(0, "vnet0", 0, sent),))
    after = Usage(ID, 1, cpu_after, 0, 0, (DiskUse("sda", read_after, 0, 0, 0),), (NicUse(0, "vnet0", 0, sent_after),))
    assert all(value is None or value >= 0 for value in rates(before, after, seconds).figures)
