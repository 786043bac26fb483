"""In a flood of made-up machines those that we know are answered, all of them, and strangers as far as it goes."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.dhcp.triage import AT_ONCE, FAMILIAR, STRANGERS, Triage, claimed_mac

KNOWN = "52:54:00:00:00:01"


def datagram(mac: str) -> bytes:
    return bytes(28) + bytes.fromhex(mac.replace(":", "")) + bytes(10)


def made_up(number: int) -> bytes:
    return datagram(f"06:00:00:00:{number >> 8:02x}:{number & 255:02x}")


def admitted(triage: Triage, received: list[bytes]) -> list[bytes]:
    return list(triage.admitted(received, lambda data: data, lambda mac: mac == KNOWN))


def test_the_address_is_that_of_the_packet() -> None:
    assert claimed_mac(datagram(KNOWN)) == KNOWN
    assert claimed_mac(b"short") == ""


def test_a_burst_is_answered_whole() -> None:
    triage, burst = Triage(), [made_up(number) for number in range(4 * AT_ONCE)]
    assert admitted(triage, burst) == burst
    assert admitted(triage, burst[:AT_ONCE]) == burst[:AT_ONCE]
    assert admitted(triage, burst) == burst, "it was quiet in between"


def test_in_a_flood_those_that_are_known_go_first_and_in_order() -> None:
    triage, strangers = Triage(), [made_up(number) for number in range(AT_ONCE + 1)]
    admitted(triage, strangers)
    flood = [*strangers[:100], datagram(KNOWN), *strangers[100:], datagram(KNOWN)]
    left = admitted(triage, flood)
    assert left.count(datagram(KNOWN)) == 2
    assert left == [datagram(KNOWN), *strangers[-STRANGERS:], datagram(KNOWN)], "the newest of the others"


def test_who_pretends_to_be_known_does_not_take_it_all() -> None:
    triage, flood = Triage(), [datagram(KNOWN)] * (10 * FAMILIAR)
    admitted(triage, flood)
    assert len(admitted(triage, flood)) == FAMILIAR


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_are_somebodys(few: list[bytes]) -> None:
    triage = Triage()
    for received in (few, few * 100, few * 100):
        assert set(admitted(triage, received)) <= set(received)
