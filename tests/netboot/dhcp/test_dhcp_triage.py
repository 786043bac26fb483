"""When more comes than can be answered, those that we know go first, and strangers as far as it goes."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.dhcp.triage import AT_ONCE, FOR_STRANGERS, WAITING, Triage, claimed_mac

KNOWN = "52:54:00:00:00:01"


def datagram(mac: str) -> bytes:
    return bytes(28) + bytes.fromhex(mac.replace(":", "")) + bytes(10)


def made_up(number: int) -> bytes:
    return datagram(f"06:00:00:00:{number >> 8:02x}:{number & 255:02x}")


def put(triage: Triage[bytes], *received: bytes) -> int:
    return triage.put(received, lambda data: claimed_mac(data) == KNOWN)


def all_of(triage: Triage[bytes]) -> list[bytes]:
    taken: list[bytes] = []
    while triage:
        taken += triage.take()
    return taken


def test_the_address_is_that_of_the_packet() -> None:
    assert claimed_mac(datagram(KNOWN)) == KNOWN
    assert claimed_mac(b"short") == ""


def test_a_burst_is_answered_whole_and_in_order() -> None:
    triage, burst = Triage[bytes](), [made_up(number) for number in range(WAITING)]
    assert put(triage, *burst) == 0
    assert all_of(triage) == burst
    assert triage.take() == []


def test_little_is_answered_at_once_and_nobody_is_asked_who_it_is() -> None:
    triage, few = Triage[bytes](), [made_up(1), datagram(KNOWN), made_up(2)]

    def is_familiar(_: bytes) -> bool:
        raise AssertionError("this takes time and decides nothing")

    assert triage.put(few, is_familiar) == 0
    assert triage.take() == few


def test_those_that_are_known_go_first_however_many_others_wait() -> None:
    triage = Triage[bytes]()
    put(triage, *(made_up(number) for number in range(WAITING)))
    put(triage, datagram(KNOWN), datagram(KNOWN))
    now = triage.take()
    assert now[:2] == [datagram(KNOWN)] * 2
    assert now[2:] == [made_up(number) for number in range(AT_ONCE - 2)]


def test_the_newest_of_a_flood_are_kept_since_their_senders_still_wait() -> None:
    triage = Triage[bytes]()
    assert put(triage, *(made_up(number) for number in range(2 * WAITING))) == WAITING
    assert put(triage, datagram(KNOWN)) == 0, "a flood of strangers pushes nobody out that we know"
    assert all_of(triage)[1] == made_up(WAITING)


def test_who_pretends_to_be_known_does_not_take_it_all() -> None:
    triage = Triage[bytes]()
    put(triage, *[datagram(KNOWN)] * WAITING, *(made_up(number) for number in range(WAITING)))
    strangers = [each for each in triage.take() if each != datagram(KNOWN)]
    assert strangers == [made_up(number) for number in range(FOR_STRANGERS)]


def test_nobody_waits_after_the_end() -> None:
    triage = Triage[bytes]()
    put(triage, *(made_up(number) for number in range(WAITING)), datagram(KNOWN))
    triage.clear()
    assert all_of(triage) == []


@given(st.lists(st.lists(st.binary(max_size=40), max_size=20), max_size=4))
def test_any_bytes_are_somebodys_and_answered_once(batches: Sequence[list[bytes]]) -> None:
    triage, came = Triage[bytes](), [each for batch in batches for each in batch * 20]
    dropped = sum(put(triage, *batch * 20) for batch in batches)
    answered = all_of(triage)
    assert len(answered) == len(came) - dropped
    assert set(answered) <= set(came)
