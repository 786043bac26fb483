"""Conversations with one transfer, datagrams moved by hand, time passed in."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.netboot.tftp.content import content_of
from appliance.netboot.tftp.files import MemoryFile
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import negotiate
from appliance.netboot.tftp.packet import Ack, Data, Failure, Mode, OptionsAck, decode, encode
from appliance.netboot.tftp.transfer import Failed, Finished, Probed, Transfer

LIMITS = TftpLimits()


class Playbook:
    """A transfer and the clock beside it; `sees` returns what was sent since the last look."""

    def __init__(self, content=b"", mode=Mode.OCTET, **asked):
        body = content_of(MemoryFile(content), mode)
        terms = negotiate({name: str(value) for name, value in asked.items()}, body.size, LIMITS)
        self.now = 100.0
        self.transfer = Transfer(body, terms, LIMITS, self.now)

    def sees(self):
        return [decode(datagram) for datagram in self.transfer.datagrams_to_send()]

    def acks(self, block):
        self.transfer.receive_datagram(encode(Ack(block)), self.now)
        return self.sees()

    def waits(self):
        self.now = self.transfer.next_deadline()
        self.transfer.handle_timer(self.now)
        return self.sees()

    def fails_with(self, code):
        self.transfer.receive_datagram(encode(Failure(code, "no")), self.now)
        return self.sees()

    @property
    def outcome(self):
        return self.transfer.outcome


def test_plain_transfer():
    book = Playbook(b"x" * 700)
    assert book.sees() == [Data(1, b"x" * 512)]
    book.now += 2
    assert book.acks(1) == [Data(2, b"x" * 188)]
    assert book.acks(2) == []
    assert book.outcome == Finished(700, 2.0)
    assert book.transfer.next_deadline() is None


def test_exact_multiple_ends_in_an_empty_block():
    book = Playbook(b"x" * 512)
    book.sees()
    assert book.acks(1) == [Data(2, b"")]
    assert book.outcome is None
    book.acks(2)
    assert isinstance(book.outcome, Finished)


def test_empty_file_is_one_empty_block():
    book = Playbook(b"")
    assert book.sees() == [Data(1, b"")]
    book.acks(1)
    assert book.outcome == Finished(0, 0.0)


def test_options_are_acknowledged_before_data():
    book = Playbook(b"x" * 100, blksize=64, tsize=0, timeout=3)
    assert book.sees() == [OptionsAck({"blksize": "64", "timeout": "3", "tsize": "100"})]
    assert book.transfer.next_deadline() == book.now + 3
    assert book.acks(0) == [Data(1, b"x" * 64)]


def test_lost_oack_is_repeated():
    book = Playbook(b"x", tsize=0)
    first = book.sees()
    assert book.waits() == first
    assert book.acks(0) == [Data(1, b"x")]


def test_lost_data_is_repeated_with_back_off():
    book = Playbook(b"x" * 600)
    book.sees()
    book.acks(1)
    pauses = []
    for _ in range(LIMITS.retries):
        before = book.now
        assert book.waits() == [Data(2, b"x" * 88)]
        pauses.append(book.now - before)
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 8, 8]
    assert isinstance(book.waits()[0], Failure)
    assert book.outcome == Failed("the client stopped answering")


def test_a_client_that_never_answers_gets_less():
    book = Playbook(b"x" * 600)
    book.sees()
    repeats = 0
    while book.outcome is None:
        repeats += isinstance(book.waits()[0], Data)
    assert repeats == LIMITS.unanswered_retries


def test_progress_restarts_the_back_off():
    book = Playbook(b"x" * 2000)
    book.sees()
    book.waits()
    book.waits()
    book.acks(1)
    assert book.transfer.next_deadline() == book.now + LIMITS.first_timeout


def test_an_early_timer_does_nothing():
    book = Playbook(b"x")
    book.sees()
    book.transfer.handle_timer(book.now)
    assert book.sees() == []


def test_duplicate_acks_never_cause_data():
    book = Playbook(b"x" * 2000)
    book.sees()
    assert len(book.acks(1)) == 1
    assert book.acks(1) == []
    assert book.acks(1) == []
    assert book.acks(0) == []


def test_ack_of_what_was_never_sent_is_ignored():
    book = Playbook(b"x" * 2000)
    book.sees()
    assert book.acks(2) == []
    assert book.acks(65535) == []
    assert book.outcome is None


def test_window_is_sent_whole_and_resumes_from_the_last_in_order_ack():
    book = Playbook(b"x" * 512 * 10, windowsize=4)
    book.sees()
    assert [packet.block for packet in book.acks(0)] == [1, 2, 3, 4]
    assert [packet.block for packet in book.acks(4)] == [5, 6, 7, 8]
    assert [packet.block for packet in book.acks(6)] == [7, 8, 9, 10]
    assert [packet.block for packet in book.acks(10)] == [11]
    book.acks(11)
    assert book.outcome == Finished(5120, 0.0)


def test_lost_window_is_repeated_whole():
    book = Playbook(b"x" * 512 * 10, windowsize=4)
    book.sees()
    first = book.acks(0)
    assert book.waits() == first


@pytest.mark.parametrize("window", [1, 7])
def test_block_counter_wraps(window):
    blocks = 65535 * 2 + 10
    book = Playbook(b"y" * (8 * blocks + 3), blksize=8, windowsize=window)
    book.sees()
    sent = book.acks(0)
    received = 0
    numbers = []
    while sent:
        received += sum(len(packet.payload) for packet in sent)
        numbers.extend(packet.block for packet in sent)
        sent = book.acks(sent[-1].block)
    assert numbers == [number % 65536 for number in range(1, blocks + 2)]
    assert received == 8 * blocks + 3
    assert isinstance(book.outcome, Finished)


def test_a_window_across_the_wrap_resumes_from_the_middle_of_it():
    book = Playbook(b"z" * (8 * 65600), blksize=8, windowsize=7)
    book.sees()
    sent = book.acks(0)
    while sent[-1].block != 65534:
        sent = book.acks(sent[-1].block)
    assert [packet.block for packet in book.acks(65534)] == [65535, 0, 1, 2, 3, 4, 5]
    assert [packet.block for packet in book.acks(0)] == [1, 2, 3, 4, 5, 6, 7]
    assert book.acks(65535) == [], "that one came late"


def test_more_than_65535_blocks_of_512_bytes():
    size = 512 * 65536 + 1
    book = Playbook(bytes(size))
    sent = book.sees()
    while sent:
        sent = book.acks(sent[0].block)
    assert book.outcome == Finished(size, 0.0)


def test_abort_right_after_oack_is_a_size_probe():
    book = Playbook(b"x", tsize=0)
    book.sees()
    assert book.fails_with(8) == []
    assert book.outcome == Probed()


def test_abort_later_is_a_failure():
    book = Playbook(b"x" * 600, tsize=0)
    book.sees()
    book.acks(0)
    assert book.fails_with(3) == []
    assert book.outcome == Failed("the client gave up: error 3 no")


@pytest.mark.parametrize("data", [b"", b"\0\x09zzzz", encode(Data(1, b"x")), b"\0\1a\0octet\0"])
def test_garbage_from_the_client_ends_its_transfer(data):
    book = Playbook(b"x" * 600)
    book.sees()
    book.transfer.receive_datagram(data, book.now)
    (answer,) = book.sees()
    assert answer.code == 4
    assert isinstance(book.outcome, Failed)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\4", b"\0\4\0\1"])
def test_no_data_leaves_before_the_oack_is_acknowledged(data):
    book = Playbook(b"x" * 600, blksize=512)
    book.sees()
    book.transfer.receive_datagram(data, book.now)
    assert not any(isinstance(packet, Data) for packet in book.sees())
    assert not book.transfer.answered


def test_after_the_end_nothing_is_answered():
    book = Playbook(b"x")
    book.sees()
    book.acks(1)
    assert book.acks(1) == []
    assert book.fails_with(0) == []
    book.transfer.cancel("late")
    assert book.outcome == Finished(1, 0.0)


class ShrinkingFile(MemoryFile):
    """Says that it is longer than it is."""

    def __init__(self):
        super().__init__(b"x" * 600)
        self.size = 2000


def test_a_file_that_shrinks_is_an_error_not_a_short_file():
    terms = negotiate({}, 2000, LIMITS)
    transfer = Transfer(content_of(ShrinkingFile(), Mode.OCTET), terms, LIMITS, 0.0)
    (answer,) = transfer.datagrams_to_send()
    assert isinstance(decode(answer), Failure)
    assert "shorter" in transfer.outcome.reason


@given(st.binary(max_size=3000).map(lambda noise: noise.replace(b"a", b"\n").replace(b"b", b"\r")))
def test_netascii_is_undone_by_its_inverse(plain):
    book = Playbook(plain, Mode.NETASCII)
    received = b""
    sent = book.sees()
    while sent:
        received += sent[0].payload
        sent = book.acks(sent[0].block)
    # A position-wise reading as a client does it: CR LF is LF, CR NUL is CR.
    assert received.replace(b"\r\n", b"\n").replace(b"\r\0", b"\r") == plain
    assert book.outcome == Finished(len(received), 0.0)


class LossyClient:
    """A receiver after RFC 7440 behind a network that loses, doubles and swaps datagrams."""

    def __init__(self, window, rng):
        self.content = b""
        self.expected = 1
        self.window = window
        self.in_window = 0
        self.rng = rng
        self.last = b""

    def receive(self, packet):
        if isinstance(packet, OptionsAck):
            return [Ack(0)] if self.expected == 1 else []
        if packet.block != self.expected % 65536:
            return [Ack((self.expected - 1) % 65536)]
        self.content += packet.payload
        self.expected += 1
        self.in_window += 1
        if self.in_window < self.window and len(packet.payload) == 16:
            return []
        self.in_window = 0
        return [Ack(packet.block)]


def damaged(packets, rng):
    """The packets as a bad network delivers them."""
    delivered = [packet for packet in packets for _ in range(rng.choice([0, 1, 1, 1, 1, 1, 2]))]
    if rng.random() < 0.2:
        rng.shuffle(delivered)
    return delivered


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 600), st.sampled_from([1, 2, 5, 16]), st.integers())
def test_a_bad_network_delays_but_never_corrupts(size, window, seed):
    rng = random.Random(seed)
    content = rng.randbytes(size)
    book = Playbook(content, blksize=16, windowsize=window)
    book.transfer._limits = TftpLimits(retries=1000, unanswered_retries=1000)
    client = LossyClient(window, rng)
    sent = book.sees()
    while book.outcome is None:
        for packet in damaged(sent, rng):
            for ack in damaged(client.receive(packet), rng):
                book.transfer.receive_datagram(encode(ack), book.now)
        sent = book.sees() or (book.waits() if book.outcome is None else [])
    assert isinstance(book.outcome, Finished)
    assert client.content == content
