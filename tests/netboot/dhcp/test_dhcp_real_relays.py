"""Relays and clients that others wrote, in namespaces of their own, against our server with several subnets."""

import subprocess
import sys
from pathlib import Path

import pytest
from test_dhcp_real_clients import NAMESPACES

WORLD = Path(__file__).parent / "relay_world.py"


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("link_selection", "dnsmasq", "moved")]
"""What conversations hold too, but for the other side of it."""


@pytest.mark.parametrize("scenario", ["isc", "unicast", "conflict", *SLOW])
def test_real_relay(tmp_path: Path, scenario: str) -> None:
    program = [sys.executable, str(WORLD), scenario, str(tmp_path)]
    done = subprocess.run(
        [*NAMESPACES, "--kill-child", *program], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
