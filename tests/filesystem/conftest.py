import pytest

from tests.programs_of_debian_13 import first_in_path


@pytest.fixture(autouse=True)
def programs(monkeypatch, tmp_path_factory):
    """As the appliance has them."""
    first_in_path(monkeypatch, tmp_path_factory.mktemp("programs"))
