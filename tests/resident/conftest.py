"""The appliance that residents talk to in tests is the same as for agents."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "agent"))

from fake_appliance import FakeAppliance


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[FakeAppliance]:
    fake = FakeAppliance(tmp_path)
    yield fake
    fake.close()
