"""The appliance that residents talk to in tests is the same as for agents."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_appliance import FakeAppliance


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[FakeAppliance]:
    fake = FakeAppliance(tmp_path)
    yield fake
    fake.close()
