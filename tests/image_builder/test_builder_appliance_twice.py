"""The promise that two builds of the appliance are the same; minutes long, since it builds one."""

import pytest
from builder import appliance, cache, twice


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_builds_from_the_same_packages_are_the_same() -> None:
    twice.compare(cache.default_directory(), appliance.Wanted())
    assert not twice.REMAINDER, "name in image-builder/README.md what may differ, and why"
