"""The content is cut into packets that a client puts together again, whatever its size and that of a block."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.tftp.blocks import Blocks
from appliance.netboot.tftp.content import OctetContent
from appliance.netboot.tftp.files import MemoryFile
from appliance.netboot.tftp.packet import Ack, Data, decode
from appliance.netboot.tftp.pieces import Pieces


def all_of(blocks):
    while not blocks.ended:
        yield decode(blocks.next())


@given(st.binary(max_size=70_000), st.sampled_from([8, 512, 1468, 40_000, 65_464]))
def test_the_packets_are_the_content_and_end_in_a_short_one(content, size):
    blocks = Blocks(OctetContent(MemoryFile(content)), size)
    packets = list(all_of(blocks))
    assert b"".join(packet.payload for packet in packets) == content
    assert [packet.block for packet in packets] == [number % 65536 for number in range(1, len(content) // size + 2)]
    assert [len(packet.payload) for packet in packets[:-1]] == [size] * (len(packets) - 1)
    assert len(packets[-1].payload) == len(content) % size
    assert blocks.payload == len(content)


@given(st.binary(max_size=3000), st.sampled_from([8, 16, 512]), st.randoms())
def test_packets_can_be_taken_with_their_acks_as_well_and_in_turns(content, size, rng):
    blocks, plain = (Blocks(OctetContent(MemoryFile(content)), size) for _ in range(2))
    got = [blocks.next()]
    while not blocks.ended:
        packet, ack = next(blocks.ahead) if rng.random() < 0.7 else (blocks.next(), None)
        got.append(packet)
        assert ack is None or decode(ack) == Ack(decode(packet).block)
    assert [decode(packet) for packet in got] == list(all_of(plain))
    assert next(blocks.ahead, None) is None


class Counted(MemoryFile):
    """Knows how often it was read."""

    reads = 0

    def read(self, offset, length):
        self.reads += 1
        return super().read(offset, length)


def test_a_file_is_read_in_pieces_of_several_blocks():
    file = Counted(bytes(1468 * 100))
    assert len(list(all_of(Blocks(OctetContent(file), 1468)))) == 101
    assert file.reads <= 101 / 4


class Flaky(MemoryFile):
    """Fails to be read, but for its first piece, until the disk is back."""

    away = True

    def read(self, offset, length):
        if offset and self.away:
            raise OSError("the disk is away for a moment")
        return super().read(offset, length)


def test_a_read_that_failed_can_be_asked_for_again():
    content = bytes(range(256)) * 400
    file = Flaky(content)
    blocks = Blocks(OctetContent(file), 512)
    got = []
    with pytest.raises(OSError, match="for a moment"):
        got.extend(all_of(blocks))
    file.away = False
    got += all_of(blocks)
    assert b"".join(packet.payload for packet in got) == content
    assert all(isinstance(packet, Data) for packet in got)


def test_where_reading_fails_what_is_ahead_stops_and_the_next_one_says_why():
    file = Flaky(bytes(512 * 40))
    blocks = Blocks(OctetContent(file), 512)
    blocks.next()
    before = 1 + len(list(blocks.ahead))
    assert not blocks.ended
    with pytest.raises(OSError, match="for a moment"):
        blocks.next()
    file.away = False
    assert before + len(list(all_of(blocks))) == 41


class Known(Counted):
    """Can be told from others."""

    def __init__(self, content, key):
        super().__init__(content)
        self.key = key


def shared_by(*files, sizes=(512, 512)):
    """What each of two transfers has of its file, the second right behind the first."""
    pieces = Pieces(1 << 20)
    pieces.expect(2)
    pairs = zip(files, sizes, strict=True)
    return [list(all_of(Blocks(OctetContent(file), size, pieces))) for file, size in pairs]


@pytest.mark.parametrize("length", [0, 511, 512, 512 * 16, 512 * 40 + 7])
def test_what_one_transfer_read_another_has_without_reading(length):
    content = random.Random(length).randbytes(length)
    first, second = Known(content, "a"), Known(content, "a")
    one, other = shared_by(first, second)
    assert one == other
    assert b"".join(packet.payload for packet in other) == content
    assert second.reads == 0


@pytest.mark.parametrize(
    ("keys", "sizes"), [(("a", "b"), (512, 512)), ((None, None), (512, 512)), (("a", "a"), (512, 64))]
)
def test_other_files_unknown_ones_and_other_block_sizes_share_nothing(keys, sizes):
    contents = (b"x" * 3000, b"y" * 3000) if keys[0] != keys[1] or not keys[0] else (b"x" * 3000,) * 2
    got = shared_by(*map(Known, contents, keys), sizes=sizes)
    assert [b"".join(packet.payload for packet in each) for each in got] == list(contents)
    assert [len(each[0].payload) for each in got] == list(sizes)


def test_a_transfer_goes_on_by_itself_where_another_has_given_up():
    content = random.Random(1).randbytes(512 * 60)
    pieces = Pieces(1 << 20)
    pieces.expect(2)
    ahead, behind = (Blocks(OctetContent(Known(content, "a")), 512, pieces) for _ in range(2))
    for _ in range(20):
        ahead.next()
    assert b"".join(packet.payload for packet in all_of(behind)) == content
