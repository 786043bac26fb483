"""Configuration text, network commands, known hosts, neighbours, set-up link, builder's answer."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config import parse
from appliance.errors import ApplianceError
from appliance.lab import artefacts
from appliance.lab.configuration import configuration
from appliance.lab.namespace import enter_argv, unshare_argv
from appliance.lab.neighbours import address_of
from appliance.lab.network import switch_commands
from appliance.lab.plan import DaemonPlan, Nic, firmware_of, plan_machine, plan_machines
from appliance.lab.setup_link import read_setup_link
from appliance.lab.ssh import known_hosts, strict_argv

PLAN = DaemonPlan("/built/stack", "/built/programs", ('/built/with "quotes"\\',))


def test_the_daemon_accepts_the_configuration() -> None:
    config = parse(configuration(PLAN, Path("/lab/state")), "lab.toml")
    assert config.site.state_dir == Path("/lab/state")
    assert config.site.preload == (Path('/built/with "quotes"\\'),)
    assert config.boot.stack == Path("/built/stack")
    assert [section.interface for section in config.subnet] == ["br0"]


def test_strange_paths_survive_the_configuration() -> None:
    odd = Path("/tmp/ü\t\x01")
    assert tomllib.loads(configuration(PLAN, odd))["site"]["state_dir"] == str(odd)


def test_a_mixed_lab_alternates() -> None:
    assert [firmware_of("mixed", index) for index in range(4)] == ["bios", "uefi", "bios", "uefi"]
    assert {firmware_of("uefi", index) for index in range(4)} == {"uefi"}


def test_firmware_may_be_set_up_in_other_ways() -> None:
    (by_http,), (secure,) = plan_machines(1, "uefi-http"), plan_machines(1, "secure-boot")
    assert (by_http.firmware, by_http.network_boot, by_http.secure_boot) == ("uefi", "http", False)
    assert (secure.firmware, secure.network_boot, secure.secure_boot) == ("uefi", "pxe", True)


def test_an_unplugged_interface_is_up_but_on_no_switch() -> None:
    machine = replace(plan_machine(0, "bios"), nics=(Nic("52:54:00:00:00:01", "tap0", connected=False),))
    commands = switch_commands([machine])
    assert "link set tap0 up" in commands
    assert not any("master" in command for command in commands)


def test_an_appliance_apart_has_its_address_to_itself_and_people_a_network_of_their_own() -> None:
    nics = (Nic("52:54:00:00:00:01", "tap0", bridge="br1"), Nic("52:54:00:00:00:02", "tap1"))
    commands = switch_commands([replace(plan_machine(0, "bios"), nics=nics)], appliance_apart=True)
    assert [each for each in commands if "address add" in each] == [
        "address add 10.77.0.250/24 dev br0",
        "address add 10.78.0.1/24 dev br1",
    ]
    assert {"link set tap0 master br1", "link set tap1 master br0"} < set(commands)


def test_only_an_ordinary_user_gets_a_user_namespace() -> None:
    assert "--user" not in unshare_argv(["x"], root=True)
    assert "--map-root-user" in unshare_argv(["x"], root=False)
    assert "--user" not in enter_argv(1, ["x"], root=True)
    assert "--preserve-credentials" in enter_argv(1, ["x"], root=False)


def test_known_hosts_hold_address_and_key_only() -> None:
    assert known_hosts("10.0.0.1", ["ssh-ed25519 AAAA root@x", "ecdsa BBBB"]) == (
        "10.0.0.1 ssh-ed25519 AAAA\n10.0.0.1 ecdsa BBBB\n"
    )
    assert "StrictHostKeyChecking=yes" in strict_argv(Path("k"), Path("h"), "10.0.0.1", "true")


def test_a_neighbour_is_found_by_its_hardware_address() -> None:
    table = (
        '[{"dst":"10.77.0.9","lladdr":"aa:aa:aa:aa:aa:aa","state":["FAILED"]},'
        '{"dst":"fe80::1","lladdr":"aa:aa:aa:aa:aa:aa","state":["REACHABLE"]},'
        '{"dst":"10.77.0.51","lladdr":"aa:aa:aa:aa:aa:aa","state":["STALE"]}]'
    )
    assert address_of(frozenset({"aa:aa:aa:aa:aa:aa"}), table) == "10.77.0.51"
    assert address_of(frozenset({"bb:bb:bb:bb:bb:bb"}), table) is None
    assert address_of(frozenset(), "") is None


def test_the_set_up_link_is_read_and_its_absence_named(tmp_path: Path) -> None:
    with pytest.raises(ApplianceError, match="no set-up link"):
        read_setup_link(tmp_path)
    (tmp_path / "setup-url").write_text("/setup?token=abc\n")
    (tmp_path / "ca-fingerprint").write_text("ff\n")
    link = read_setup_link(tmp_path)
    assert (link.target, link.token, link.fingerprint) == ("/setup?token=abc", "abc", "ff")


def test_the_builders_answer() -> None:
    found = artefacts.parse('{"stack": "/a", "programs": "/b", "demo": "/c", "more": 1}')
    assert found.plan() == DaemonPlan("/a", "/b", ("/c",))
    for wrong in ("", "[]", "{}", '{"stack": 1, "programs": 2, "demo": 3}'):
        with pytest.raises(ApplianceError, match="not understood"):
            artefacts.parse(wrong)
