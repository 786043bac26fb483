"""What is good, and when that is decided."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.updates.verdict import Finding, deadline_of, decided, reasons, udp_ports

TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  104: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 12345 2 0000000000000000 0
  106: 0100007F:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 12346 2 0000000000000000 0
"""


def test_all_must_hold() -> None:
    found = [Finding("the console answers"), Finding("DHCP is served", "nothing is bound to UDP port 67")]
    assert reasons(found) == ("not so: DHCP is served (nothing is bound to UDP port 67)",)
    assert reasons(found[:1]) == ()


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.floats(0, 1000), st.floats(1, 1000))
def test_it_is_decided_when_all_hold_or_the_time_is_up(holds: list[bool], passed: float, deadline: float) -> None:
    found = [Finding("x", "" if each else "no") for each in holds]
    assert decided(found, 5.0, 5.0 + passed, deadline) == (all(holds) or 5.0 + passed - 5.0 >= deadline)


def test_a_slow_computer_has_more_time() -> None:
    assert [deadline_of(start) for start in (8.0, 59.9, 60.0, 400.0)] == [600.0, 600.0, 900.0, 900.0]


def test_ports_that_are_bound() -> None:
    assert udp_ports(TABLE) == {67, 69}
    assert udp_ports("") == set()
