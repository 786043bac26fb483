"""What holds for real firmware, a real disk and a real system, whatever happens to power and appliance meanwhile."""

import asyncio
import hashlib

import pytest
from vm_boot_menu import boot_order
from vm_story import Facts, live_through

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500)]

BIOS = pytest.param("node1", id="bios", marks=pytest.mark.slow)
"""That a machine with BIOS becomes idle, is deployed and released is also shown by tests/appliance, in less time."""
UEFI = pytest.param("node2", id="uefi")
both = pytest.mark.parametrize("node", [BIOS, UEFI])


@pytest.fixture(scope="module")
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Facts]:
    """Lived once, for all tests here that were chosen, by the machines that they ask about."""
    chosen = {item.callspec.params["node"] for item in request.session.items if item.path == request.path}
    return asyncio.run(live_through(tmp_path_factory.mktemp("labs"), chosen))


@both
def test_a_machine_with_only_its_second_interface_here_becomes_idle(day: dict[str, Facts], node: str) -> None:
    arrived = day[node].arrived
    assert arrived["firmware"] == day[node].firmware
    assert arrived["maintenance"] is True
    assert len(arrived["inventory"]["nics"]) == 2
    assert arrived["inventory"]["boot_mac"] == arrived["inventory"]["nics"][1]["mac"]
    assert [disk["content"]["empty"] for disk in arrived["inventory"]["disks"]] == [False, True]


@both
def test_the_second_disk_is_the_systems_however_it_was_started(day: dict[str, Facts], node: str) -> None:
    """By kexec, through netboot after its own reboot, and by firmware alone."""
    assert day[node].root_disks == [day[node].target] * 3
    assert len(set(day[node].boot_ids)) == 3
    assert day[node].markers == [day[node].target] * 3


@both
def test_the_first_disk_is_as_it_was(day: dict[str, Facts], node: str) -> None:
    before, after = day[node].foreign_before, day[node].foreign_after
    assert hashlib.sha256(before).digest() == hashlib.sha256(after).digest()


@both
def test_it_is_started_by_kexec_first_and_from_its_disk_through_netboot_later(day: dict[str, Facts], node: str) -> None:
    handed = [item["detail"] for item in day[node].events("step.done") if item["detail"]["step"] == "hand-over"]
    assert [each["result"]["method"] for each in handed] == ["kexec"]
    assert "disk" in day[node].events("script.served")[-1]["text"]


@both
def test_every_start_of_the_system_is_reported_once(day: dict[str, Facts], node: str) -> None:
    reported = [item["detail"]["boot_id"] for item in day[node].events("resident.active")]
    assert reported == day[node].boot_ids


@pytest.mark.parametrize("node", [BIOS])
def test_a_power_cut_in_mid_write_fails_with_the_reason_and_a_retry_helps(day: dict[str, Facts], node: str) -> None:
    facts = day[node]
    assert facts.failed["failed_code"] == "restarted"
    assert facts.failed["failed_reason"] == "the machine restarted by itself while writing the image"
    states = [item["detail"]["to"] for item in facts.events("machine.state")]
    assert states[-4:] == ["deploying", "failed", "deploying", "active"]
    assert len(set(facts.attempts)) == 2


@pytest.mark.parametrize("node", [UEFI])
def test_a_killed_daemon_goes_on_with_the_same_attempt(day: dict[str, Facts], node: str) -> None:
    facts = day[node]
    assert len(facts.attempts) == 2
    assert len(set(facts.attempts)) == 1
    assert [item["detail"]["to"] for item in facts.events("machine.state")][-2:] == ["deploying", "active"]


@both
def test_the_network_is_asked_first_when_the_appliance_is_away(day: dict[str, Facts], node: str) -> None:
    attempt = {"node1": "iPXE", "node2": "Start PXE over IPv4"}[node]
    said = day[node].said_alone
    assert -1 < said.find(attempt) < said.find(" login:")


@pytest.mark.parametrize("node", [UEFI])
def test_uefi_has_the_network_first_and_the_deployments_disk_next(day: dict[str, Facts], node: str) -> None:
    order = boot_order(day[node].boot_variables)
    first_local = next(index for index, kind in enumerate(order) if kind != "network")
    assert first_local > 0
    assert order[first_local] == "qrm disk"
