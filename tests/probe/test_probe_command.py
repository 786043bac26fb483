"""What ``qrm probe`` says without a network: wrong usage, missing libraries, hostile strings."""

import click
import pytest
from click.testing import CliRunner

from appliance.errors import ApplianceError
from appliance.probe import command, examine
from appliance.probe.finding import Finding, Status
from appliance.probe.observe import link
from appliance.probe.observed import Interface

ETH0 = Interface("eth0", "02:00:00:00:00:09", 1500, True)
DARK = Interface("eth1", "02:00:00:00:00:0a", 1500, False)


@pytest.fixture
def found(monkeypatch):
    """An examination that finds what the test puts in here, on a computer with one interface."""
    findings = []

    class Examination:
        reachable = True

        def __init__(self, plan, tell):
            self.plan = plan

        def run(self):
            for each in findings:
                if isinstance(each, BaseException):
                    raise each
                yield each

    monkeypatch.setattr(examine, "Examination", Examination)
    monkeypatch.setattr(link, "interfaces", lambda: [ETH0, DARK])
    return findings


def probe(*arguments):
    return CliRunner().invoke(command.probe, arguments)


def test_the_checks_of_the_help_are_those_that_run():
    assert tuple(examine.CHECKS) == command.CHECKS
    assert all(name in (command.probe.help or "") for name in command.CHECKS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["colour"], "colour"),
        (["--timeout", "0"], "0"),
        (["--server", "appliance"], "'appliance' is no IPv4 address"),
        (["--server", "10.77.0.1.1"], "is no IPv4 address"),
        (["--interface", "eth9"], "there is no Ethernet interface 'eth9' that is up; there are: eth0, eth1"),
    ],
)
def test_wrong_usage(found, arguments, words):
    done = probe(*arguments)
    assert done.exit_code == 2
    assert words in done.output


def test_several_interfaces_with_a_link(found, monkeypatch):
    monkeypatch.setattr(link, "interfaces", lambda: [ETH0, ETH0])
    assert "name one with --interface" in probe().output


def test_hostile_strings_steer_no_terminal(found):
    evil = "\x1b[2J\u202eevil\r\n"
    found.append(Finding("dhcp", Status.FAILED, evil, evil, evil, {"domain": evil}))
    for arguments in ([], ["--json"]):
        done = probe(*arguments)
        assert done.exit_code == 1
        assert "evil" in done.output
        assert not {"\x1b", "\u202e", "\r"} & set(done.output)


def test_what_is_wrong_is_explained(found):
    found += [
        Finding("dhcp", Status.OK, "fine", "never shown"),
        Finding("mtu", Status.WARNING, "narrow", "because", "widen it"),
    ]
    done = probe()
    assert done.exit_code == 0
    assert "  why because\n  do  widen it" in done.output
    assert "never shown" not in done.output


def test_control_c_keeps_what_is_known(found):
    found += [Finding("dhcp", Status.OK, "fine"), KeyboardInterrupt()]
    done = probe()
    assert (done.exit_code, "fine" in done.output, "stopped before the end" in done.output) == (1, True, True)


@pytest.mark.parametrize(
    ("trouble", "code"), [(PermissionError(1, "no"), "probe-no-privilege"), (OSError(100, "down"), "probe-interface")]
)
def test_troubles_of_the_interface_have_names(found, trouble, code):
    found.append(trouble)
    error = probe().exception
    assert isinstance(error, ApplianceError)
    assert error.code == code
    assert error.hint


def test_a_missing_library_is_named(found, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "scapy" else name)
    error = probe().exception
    assert isinstance(error, ApplianceError)
    assert (error.code, "needs scapy, which" in error.message) == ("probe-not-installed", True)
    assert "-m pip install scapy tftpy" in error.hint


def test_bouncing_the_link_measures_the_spanning_tree(found, monkeypatch):
    plans = []

    class Seen(examine.Examination):
        def __init__(self, plan, tell):
            super().__init__(plan, tell)
            plans.append(plan)

    monkeypatch.setattr(examine, "Examination", Seen)
    assert isinstance(command.probe, click.Command)
    probe("--bounce-link", "dhcp")
    assert plans[0].checks == {"dhcp", "stp"}
    assert plans[0].interface is ETH0
