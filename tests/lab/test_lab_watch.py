"""What is said about a lab that nobody steers."""

from appliance.lab.watch import changes


def status(*, running: bool, ended_with: int | None = None) -> dict[str, object]:
    return {"daemon": 1, "machines": {"node1": {"running": running, "powered_on_at": 1.0, "ended_with": ended_with}}}


def test_a_machine_that_switched_itself_off_is_told_with_the_way_back() -> None:
    assert changes(status(running=True), status(running=False, ended_with=0)) == [
        "node1 has switched itself off; on again with: qrm lab power node1 on"
    ]


def test_a_pulled_plug_and_no_change_are_nothing_to_tell() -> None:
    assert changes(status(running=True), status(running=False, ended_with=-9)) == []
    assert changes(status(running=True), status(running=True)) == []
    assert changes(status(running=False), status(running=True)) == []
