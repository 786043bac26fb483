"""The daemon with all boot programs, and a computer to probe from."""

import pytest
from probe_world import ADDRESS, Host, give_programs


@pytest.fixture
def host(namespace):
    made = Host(namespace, "port0", "port1", ADDRESS)
    yield made
    made.close()


@pytest.fixture
def served(daemon):
    give_programs(daemon)
    daemon.start()
    return daemon
