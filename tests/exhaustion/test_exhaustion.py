"""Floods of everything at once, against the real daemon: real machines boot in the meantime, and memory is bounded."""

from pathlib import Path

import pytest

from tests.exhaustion.siege import BOOT_SECONDS, Siege, besiege

MOST = 200_000_000
"""Bytes that the daemon may use, whatever strangers do."""
GREW = 60_000_000
"""Bytes of it that the flood may cost."""


def _check(siege: Siege) -> None:
    print(siege.words())
    assert max(siege.boots) < BOOT_SECONDS
    assert siege.most < MOST
    assert siege.most - siege.before < GREW
    assert siege.readers > 100


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_million_made_up_machines_keep_no_real_one_from_booting(tmp_path: Path) -> None:
    siege = besiege(tmp_path, 1_000_000, rate=20_000)
    assert siege.machines > 900_000
    assert len(siege.boots) >= 4
    _check(siege)


@pytest.mark.slow
def test_a_short_flood_does_no_harm_either(tmp_path: Path) -> None:
    _check(besiege(tmp_path, 60_000, rate=10_000, least_boots=2))
