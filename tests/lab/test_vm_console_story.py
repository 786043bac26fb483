"""The whole main job in Chromium, by clicking, on real firmware; and that no page ever showed an untruth.

Pictures of all stations are kept below ``build/screenshots``, or where ``QRM_SCREENSHOTS`` says.
"""

import asyncio
import time

import pytest
from console_desk import PICTURES
from console_witness import untrue
from vm_console_person import DEPLOYMENT, Facts
from vm_console_story import click_through

pytestmark = [pytest.mark.vm, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Lived once, for all tests here."""
    print(f"pictures: {PICTURES}")
    return asyncio.run(click_through(tmp_path_factory.mktemp("labs")))


def test_the_job_was_done(day: Facts) -> None:
    states = [each.state for each in day.true if each.state not in ("starting", "stopping")]
    assert states == ["discovered", "idle", "deploying", "active", "stopped", "active", "releasing", "idle"]
    assert day.machine["deployment"] is None
    target = next(disk for disk in day.machine["inventory"]["disks"] if disk["serial"] == day.target)
    assert target["content"]["empty"] is True


def test_the_system_that_was_reached_is_the_one_that_was_shown(day: Facts) -> None:
    assert day.said_over_ssh == DEPLOYMENT
    assert day.root_disk == day.target
    assert len(set(day.boot_ids)) == 2
    assert day.fingerprints
    for fingerprint in day.fingerprints:
        assert fingerprint in day.true_fingerprints


def test_no_page_showed_a_state_that_was_not_true(day: Facts) -> None:
    shown = [each for tab in day.tabs for each in tab.witness.shown(day.end)]
    assert {each.place for each in shown} == {"row", "head", "tile"}
    assert untrue(shown, day.true) == []


def test_the_wall_showed_every_state_and_was_never_loaded_again(day: Facts) -> None:
    (wall,) = [tab for tab in day.tabs if tab.witness.tab == "wall"]
    assert wall.visits == 1
    shown = {each.state for each in wall.witness.shown(day.end)}
    lasting = {each.state for each in day.true if each.end - each.start > 5}
    assert lasting <= shown


@pytest.mark.parametrize(("tab", "place"), [("wall", "row"), ("desk", "head"), ("desk", "strip"), ("desk", "drawer")])
def test_progress_moved_everywhere(day: Facts, tab: str, place: str) -> None:
    (witness,) = [each.witness for each in day.tabs if each.witness.tab == tab]
    assert len(set(witness.shares(place))) >= 3, witness.shares(place)


def test_progress_was_what_the_api_said(day: Facts) -> None:
    assert len(day.compared) > 2
    for before, shown, after in day.compared:
        assert before - 0.1 <= shown <= after + 0.01


def test_a_lost_connection_was_said_with_its_time(day: Facts) -> None:
    dead, ready = day.killed
    for tab in day.tabs:
        old = next(entry["at"] for entry in tab.witness.entries if entry["old"])
        assert dead - 5 <= old <= ready
        possible = [time.strftime("%H:%M:%S", time.localtime(old - seconds)) for seconds in range(4)]
        assert day.lost[tab.witness.tab] in possible


def test_all_tasks_have_ended_well_and_say_so(day: Facts) -> None:
    assert {task["status"] for task in day.tasks} == {"done"}
    assert {task["owner"] for task in day.tasks} == {"ada"}
    assert len(day.tasks) == 5


def test_the_deploy_outlived_the_daemon_in_one_attempt(day: Facts) -> None:
    kinds = [item["kind"] for item in day.timeline]
    assert kinds.count("attempt.failed") == 0
    assert kinds.count("attempt.done") == 4


def test_browsers_had_nothing_to_complain_of(day: Facts) -> None:
    assert [fault for tab in day.tabs for fault in tab.complaints] == []
