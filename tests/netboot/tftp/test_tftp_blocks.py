"""The content is cut into packets that a client puts together again, whatever its size and that of a block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.tftp.blocks import Blocks
from appliance.netboot.tftp.content import OctetContent
from appliance.netboot.tftp.files import MemoryFile
from appliance.netboot.tftp.packet import Data, decode


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
    assert (blocks.given, blocks.bytes) == (len(packets), len(content))


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
    """Fails to be read, once."""

    failed = False

    def read(self, offset, length):
        if offset and not self.failed:
            self.failed = True
            raise OSError("the disk is away for a moment")
        return super().read(offset, length)


def test_a_read_that_failed_can_be_asked_for_again():
    content = bytes(range(256)) * 400
    blocks = Blocks(OctetContent(Flaky(content)), 512)
    got = []
    with pytest.raises(OSError, match="for a moment"):
        got.extend(all_of(blocks))
    got += all_of(blocks)
    assert b"".join(packet.payload for packet in got) == content
    assert all(isinstance(packet, Data) for packet in got)
