"""Programs that others wrote, on a switch in a namespace, against our server process."""

import subprocess
import sys
from pathlib import Path

import pytest

NAMESPACES = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--mount-proc", "--pid", "--fork"]
WORLD = Path(__file__).parent / "dhcp_world.py"


def play(scenario: str, directory: Path, loop: str = "asyncio") -> None:
    program = [sys.executable, str(WORLD), scenario, str(directory), loop]
    # The pid namespace ends with its first process: no server, client or QEMU outlives the test.
    done = subprocess.run(
        [*NAMESPACES, "--kill-child", *program], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_busybox_and_isc_clients_obtain_reboot_and_keep_their_address(tmp_path: Path, loop: str) -> None:
    play("clients", tmp_path, loop)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_address_of_a_stranger_is_passed_over(tmp_path: Path, loop: str) -> None:
    play("conflict", tmp_path, loop)


def test_kill_and_restart_gives_no_address_twice(tmp_path: Path) -> None:
    play("kill", tmp_path)


def test_second_server_on_the_interface_is_refused(tmp_path: Path) -> None:
    play("port_in_use", tmp_path)


def test_stuck_disk_stops_newcomers_only(tmp_path: Path) -> None:
    play("stuck_disk", tmp_path)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_interface_that_goes_away_ends_the_server_with_its_name(tmp_path: Path, loop: str) -> None:
    play("interface_gone", tmp_path, loop)


@pytest.mark.vm
def test_ipxe_rom_fetches_the_boot_script(tmp_path: Path) -> None:
    play("ipxe", tmp_path, "uvloop")


@pytest.mark.vm
def test_ipxe_rom_boots_from_us_beside_another_dhcp_server(tmp_path: Path) -> None:
    play("ipxe_proxy", tmp_path, "uvloop")
