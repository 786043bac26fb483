"""What tests of the lab share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def shared_directory() -> Iterator[Path]:
    """A directory that an ordinary user may use; pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp(prefix="qrm-lab-test-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)
