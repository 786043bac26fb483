"""One appliance for all stories; every story has machines of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kill_disk import build_image
from kill_world import World


@pytest.fixture(scope="session")
def demo_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo image's file."""
    return build_image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def appliance_world(tmp_path_factory: pytest.TempPathFactory, demo_image: Path) -> Iterator[World]:
    """The appliance with its network."""
    made = World(tmp_path_factory.mktemp("world"), demo_image)
    yield made
    made.close()


@pytest.fixture
def world(appliance_world: World) -> Iterator[World]:
    """The appliance, running, without a machine."""
    yield appliance_world
    for machine in appliance_world.machines:
        appliance_world.check_rules(machine)
    appliance_world.clear()
    appliance_world.machines.clear()


@pytest.fixture
def nothing_leaks() -> None:
    """Not asked here: a test restarts the daemon that all of them share, so processes come and stay by design."""
