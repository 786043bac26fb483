"""Real packets with something wrong in them: each call makes another one, the same ones from the same seed."""

import random
from collections.abc import Callable, Sequence

LONGEST = 4096
"""Octets; no server reads more of one datagram."""
TELLING = (0, 1, 0x7F, 0x80, 0xC0, 0xFF)
"""Octets on which decoders turn: ends, lengths, signs, pointers."""

Chance = random.Random
Change = Callable[[bytearray, Chance], None]


def mutated(real: Sequence[bytes], chance: Chance) -> bytes:
    """One of the packets, most often changed in a few places; now and then untouched, or noise."""
    luck = chance.random()
    if luck < 0.05:
        return chance.randbytes(chance.randrange(600))
    data = bytearray(chance.choice(real))
    if luck > 0.15:
        for _ in range(chance.randrange(1, 5)):
            chance.choice(_CHANGES)(data, chance)
    if luck > 0.97:
        _splice(data, chance.choice(real), chance)
    return bytes(data[:LONGEST])


def _place(data: bytearray, chance: Chance) -> int:
    return chance.randrange(len(data)) if data else 0


def _flip(data: bytearray, chance: Chance) -> None:
    if data:
        data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _set(data: bytearray, chance: Chance) -> None:
    if data:
        data[_place(data, chance)] = chance.choice(TELLING)


def _cut(data: bytearray, chance: Chance) -> None:
    del data[_place(data, chance) :]


def _remove(data: bytearray, chance: Chance) -> None:
    at = _place(data, chance)
    del data[at : at + chance.randrange(1, 9)]


def _insert(data: bytearray, chance: Chance) -> None:
    at = _place(data, chance)
    data[at:at] = chance.randbytes(chance.randrange(1, 9))


def _repeat(data: bytearray, chance: Chance) -> None:
    at = _place(data, chance)
    data[at:at] = data[at : at + chance.randrange(1, 64)] * chance.randrange(1, 8)


def _splice(data: bytearray, other: bytes, chance: Chance) -> None:
    data[_place(data, chance) :] = other[chance.randrange(len(other)) :] if other else b""


_CHANGES: tuple[Change, ...] = (_flip, _flip, _set, _set, _cut, _remove, _insert, _repeat)
