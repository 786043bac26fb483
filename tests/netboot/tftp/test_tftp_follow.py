"""The short way of a block says what the long one says: two transfers hear the same, one of them by `follow`."""

from hypothesis import example, given
from hypothesis import strategies as st

from appliance.netboot.tftp.content import content_of
from appliance.netboot.tftp.files import MemoryFile
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import negotiate
from appliance.netboot.tftp.packet import Ack, Failure, Mode, encode
from appliance.netboot.tftp.transfer import Finished, Transfer

LIMITS = TftpLimits()
BLOCK = 16
ACK, STALE, WRONG, PADDED, ERROR, GARBAGE, TIMER, CANCEL = range(8)
STEPS = st.lists(st.tuples(st.sampled_from([ACK] * 12 + list(range(8))), st.sampled_from([0.0, 0.001, 0.02, 0.1, 1.0])))
OPTIONS = st.sampled_from(
    [{}, {"blksize": "16"}, {"blksize": "16", "timeout": "3"}, {"blksize": "16", "windowsize": "3"}]
)


class Failing(MemoryFile):
    """Cannot be read from somewhere on."""

    def read(self, offset, length):
        if offset >= BLOCK * 40:
            raise OSError("the disk is gone")
        return super().read(offset, length)


class Pair:
    """The same transfer twice. `swift` counts what went the short way."""

    def __init__(self, file, options):
        self.now, self.swift, self.newest = 50.0, 0, 0
        body = [content_of(file, Mode.OCTET) for _ in range(2)]
        self.short, self.long = (
            Transfer(each, negotiate(options, each.size, LIMITS), LIMITS, self.now) for each in body
        )
        self.compare([])

    def hear(self, data):
        sent = []
        if packet := self.short.follow(data, self.now):
            self.swift += 1
            sent = [packet]
        else:
            self.short.receive_datagram(data, self.now)
        self.long.receive_datagram(data, self.now)
        self.compare(sent)

    def compare(self, sent):
        sent = sent + self.short.datagrams_to_send()
        assert sent == self.long.datagrams_to_send()
        assert (self.short.outcome, self.short.answered) == (self.long.outcome, self.long.answered)
        assert self.short.next_deadline() == self.long.next_deadline()
        self.short.prepare()
        self.long.prepare()
        for each in sent:
            if each[:2] == b"\0\3":
                self.newest = int.from_bytes(each[2:4], "big")

    def both(self, what, *arguments):
        for each in (self.short, self.long):
            getattr(each, what)(*arguments)
        self.compare([])

    def step(self, kind):
        acks = {ACK: 0, STALE: -1, WRONG: 1}
        if kind in acks:
            self.hear(encode(Ack((self.newest + acks[kind]) % 65536)))
        elif kind == PADDED:
            self.hear(encode(Ack(self.newest)) + b"\0\0")
        elif kind == ERROR:
            self.hear(encode(Failure(3, "full")))
        elif kind == GARBAGE:
            self.hear(b"\0\x09oh")
        elif kind == CANCEL:
            self.both("cancel", "the server is stopping")
        elif self.short.outcome is None:
            self.now = self.short.deadline
            self.both("handle_timer", self.now)


@given(
    st.one_of(st.builds(MemoryFile, st.binary(max_size=BLOCK * 60)), st.just(Failing(bytes(BLOCK * 90)))),
    OPTIONS,
    STEPS,
)
@example(Failing(bytes(BLOCK * 90)), {"blksize": "16"}, [(ACK, 0.001)] * 60)
@example(MemoryFile(bytes(BLOCK * 48)), {"blksize": "16"}, [(ACK, 0.001)] * 60)
def test_the_short_way_and_the_long_one_say_the_same(file, options, steps):
    pair = Pair(file, options)
    for kind, later in steps:
        pair.now += later
        pair.step(kind)


def fetched(options, pause, blocks=200):
    pair = Pair(MemoryFile(bytes(BLOCK * blocks)), options)
    while pair.short.outcome is None:
        pair.now += pause
        pair.step(ACK)
    assert isinstance(pair.short.outcome, Finished)
    return pair.swift


def test_nearly_all_blocks_go_the_short_way():
    """But for the OACK's answer, the first block's, and the last."""
    assert fetched({"blksize": "16"}, 0.001) == 200 - 1
    assert fetched({"blksize": "16", "timeout": "3"}, 1.0) == 200 - 1


def test_windows_slow_answers_and_what_is_over_go_the_long_way():
    assert fetched({"blksize": "16", "windowsize": "4"}, 0.001) == 0
    assert fetched({"blksize": "16"}, 0.2) == 0
    pair = Pair(MemoryFile(bytes(BLOCK * 20)), {"blksize": "16"})
    for _ in range(5):
        pair.step(ACK)
    pair.both("abandon", "another client waits")
    assert pair.short.follow(encode(Ack(pair.newest)), pair.now) is None


def test_an_answer_to_a_repetition_goes_the_long_way():
    pair = Pair(MemoryFile(bytes(BLOCK * 20)), {"blksize": "16"})
    for kind in (ACK, ACK, ACK, TIMER):
        pair.step(kind)
    before = pair.swift
    pair.step(ACK)
    assert pair.swift == before
    pair.step(ACK)
    assert pair.swift == before + 1
