"""Broken packets of every protocol do no harm and leave nothing in memory: some seconds of `make fuzz`, or a minute."""

import tracemalloc
from dataclasses import dataclass, field

import pytest

from tests.captures.book import CLIENTS
from tests.fuzz import run as running
from tests.fuzz.__main__ import FLAT, main
from tests.fuzz.mutation import LONGEST, Chance, mutated
from tests.fuzz.run import TARGETS, FoundError, run

SEED = 20261121
PACKETS = {"dhcp": 300_000, "tftp": 800_000, "dns": 200_000, "http": 400_000, "control": 600_000}
"""More than the reference computer feeds in the time that each has."""
SECONDS = 4, pytest.param(12, marks=pytest.mark.slow)
"""Of each: what was fed until then counts. The longer, the more is found."""
LEFT = 300_000
"""Bytes that Python may have more of after thousands of packets: caches that are full by then are in it."""


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("name", TARGETS)
def test_no_packet_does_harm_and_memory_stays_flat(name: str, seconds: float) -> None:
    ran = run(name, SEED, PACKETS[name], seconds)
    print(f"{name}: {ran.rate:,.0f} a second, {ran.growth / 1e6:+.1f} MB after the warm-up")
    assert ran.packets > PACKETS[name] / 250
    assert ran.growth < FLAT


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_kept_of_packets_that_were_dealt_with(name: str) -> None:
    target, chance = TARGETS[name](), Chance(SEED)

    def feed() -> None:
        for _ in range(4000):
            target.feed(mutated(target.real, chance), chance)

    feed()
    tracemalloc.start()
    feed()
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < LEFT


def test_every_client_that_was_recorded_is_among_what_is_broken() -> None:
    assert {"seabios_ipxe", "ovmf_pxe", "ovmf_http", "udhcpc", "dhclient", "networkd"} == set(CLIENTS)
    assert len(TARGETS["dhcp"]().real) > 12
    assert len(TARGETS["tftp"]().real) > 12


def test_the_same_seed_makes_the_same_packets_and_another_one_others() -> None:
    real = [b"one packet", b"and another packet"]

    def some(seed: int) -> list[bytes]:
        chance = Chance(seed)
        return [mutated(real, chance) for _ in range(500)]

    assert some(1) == some(1) != some(2)
    assert {b"one packet", b"and another packet"} < set(some(1)), "now and then nothing is broken"
    assert max(map(len, some(3))) <= LONGEST
    assert mutated([b""], Chance(5)) is not None


@dataclass
class Brittle:
    """Cannot stand one octet."""

    real: list[bytes] = field(default_factory=lambda: [b"abc"])

    def feed(self, data: bytes, chance: Chance) -> None:
        """Raises where 0x80 comes first."""
        if data[:1] == b"\x80":
            raise IndexError("as decoders do")


def test_what_does_harm_is_told_with_how_to_have_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(running.TARGETS, "dhcp", Brittle)
    with pytest.raises(FoundError, match="IndexError") as found:
        run("dhcp", 3, 100_000)
    again = str(found.value).rpartition("--packets ")[2].rstrip("'")
    with pytest.raises(FoundError) as same:
        run("dhcp", 3, int(again))
    assert str(same.value) == str(found.value)
    assert "make fuzz ARGS='dhcp --seed 3" in str(found.value)


def test_the_program_says_how_fast_and_how_large_and_refuses_what_it_does_not_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["control", "--packets", "2000", "--seed", "1"]) == 0
    told = capsys.readouterr().out
    assert "seed 1\n" in told
    assert "2,000 packets" in told
    assert "a second" in told
    with pytest.raises(SystemExit):
        main(["smtp"])
