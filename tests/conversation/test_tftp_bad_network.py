"""Whatever a network does to the datagrams of a transfer, nobody ever gets a wrong file, and both sides come to an end.

Every datagram of either side meets a fate of its own: delivered, lost, doubled, or held back until later ones have
passed. Hypothesis chooses the fates; when it has chosen no more, the network is sound.
"""

import heapq
import itertools
from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.netboot.tftp.content import content_of
from appliance.netboot.tftp.files import MemoryFile
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import negotiate
from appliance.netboot.tftp.packet import Ack, Data, Failure, Mode, OptionsAck, decode, encode
from appliance.netboot.tftp.transfer import Failed, Finished, Transfer

LIMITS = TftpLimits()
BLOCK = 16
TRIP = 0.01
"""Seconds that a datagram is on its way when nothing happens to it."""
WORST = 30.0
"""Seconds that one may be held back: longer than any pause of ours."""
LATE = st.floats(TRIP, WORST)
FATE = st.one_of(st.just(()), st.just((TRIP,)), st.tuples(LATE), st.tuples(st.just(TRIP), LATE), st.tuples(LATE, LATE))
"""After how many seconds each copy arrives; none where it is lost."""


class Client:
    """A receiver after RFC 7440: answers whole windows, gaps, and what it has already."""

    def __init__(self, window):
        self.content, self.expected, self.window = b"", 1, window
        self.fresh, self.whole = 0, False

    def receive(self, packet):
        if isinstance(packet, OptionsAck):
            return [Ack(0)] if self.expected == 1 else []
        if not isinstance(packet, Data):
            return []
        if packet.block != self.expected or self.whole:
            return [Ack(self.expected - 1)]
        self.content += packet.payload
        self.expected += 1
        self.fresh += 1
        self.whole = len(packet.payload) < BLOCK
        if self.fresh < self.window and not self.whole:
            return []
        self.fresh = 0
        return [Ack(packet.block)]


class Network:
    """Moves datagrams between the two in the order in which they arrive, and the clock with them."""

    def __init__(self, content, window, options, fates):
        asked = {"blksize": str(BLOCK), **({"windowsize": str(window)} if window > 1 else {}), **options}
        body = content_of(MemoryFile(content), Mode.OCTET)
        self.now, self.fates, self.order = 1000.0, iter(fates), itertools.count()
        self.transfer = Transfer(body, negotiate(asked, body.size, LIMITS), LIMITS, self.now)
        self.client, self.under_way = Client(window), []
        self.sent = Counter()

    def run(self):
        self.put(self.transfer.datagrams_to_send(), to_client=True)
        while self.transfer.outcome is None or self.under_way:
            deadline = self.transfer.next_deadline()
            if self.under_way and (deadline is None or self.under_way[0][0] <= deadline):
                self.now, _, to_client, datagram = heapq.heappop(self.under_way)
                self.arrive(datagram, to_client)
            else:
                self.now = deadline
                self.transfer.handle_timer(self.now)
            self.put(self.transfer.datagrams_to_send(), to_client=True)
            self.transfer.prepare()

    def put(self, datagrams, to_client):
        for datagram in datagrams:
            if to_client:
                self.sent[datagram[:4]] += 1
            for after in next(self.fates, (TRIP,)):
                heapq.heappush(self.under_way, (self.now + after, next(self.order), to_client, datagram))

    def arrive(self, datagram, to_client):
        if to_client:
            self.put([encode(answer) for answer in self.client.receive(decode(datagram))], to_client=False)
        elif packet := self.transfer.follow(datagram, self.now):
            self.put([packet], to_client=True)
        else:
            self.transfer.receive_datagram(datagram, self.now)


CASES = {
    "content": st.binary(max_size=40 * BLOCK),
    "window": st.sampled_from([1, 2, 5, 16]),
    "options": st.sampled_from([{}, {"timeout": "3"}, {"tsize": "0"}]),
}


@settings(max_examples=150, deadline=None)
@given(fates=st.lists(FATE, max_size=60), **CASES)
@example(content=b"x" * 5 * BLOCK, window=1, options={}, fates=[()] * 40)
@example(content=b"x" * 4 * BLOCK, window=16, options={}, fates=[(), (WORST, WORST)] * 12)
def test_nobody_gets_a_wrong_file_and_all_comes_to_an_end(content, window, options, fates):
    network = Network(content, window, options, fates)
    network.run()
    assert content.startswith(network.client.content)
    if network.client.whole:
        assert network.client.content == content
    if isinstance(network.transfer.outcome, Finished):
        assert (network.client.content, network.transfer.outcome.size) == (content, len(content))
    else:
        assert isinstance(network.transfer.outcome, Failed)
    # Nobody can have more repeated than the timer allows: not even a client that answers everything twice.
    most = (LIMITS.retries + 1) * 17
    assert max(network.sent.values()) <= most


@settings(max_examples=100, deadline=None)
@given(where=st.integers(0, 200), losses=st.integers(0, LIMITS.unanswered_retries), **CASES)
def test_a_few_losses_in_a_row_anywhere_end_no_transfer(where, losses, content, window, options):
    network = Network(content, window, options, [(TRIP,)] * where + [()] * losses)
    network.run()
    # Only the very last answer may stay out for ever: whoever has the file may be gone by then.
    assert network.client.content == content
    assert isinstance(network.transfer.outcome, Finished)


@settings(max_examples=100, deadline=None)
@given(delays=st.lists(st.floats(TRIP, LIMITS.least_timeout / 2.1), max_size=200), **CASES)
def test_doubled_datagrams_cause_no_others(delays, content, window, options):
    """The sorcerer's apprentice (RFC 1123 section 4.2.3.1): what comes twice makes nobody send anything twice."""
    network = Network(content, 1, options, [(delay, delay + 0.001) for delay in delays])
    network.run()
    assert network.client.content == content
    assert set(network.sent.values()) == {1}


def test_what_a_stranger_can_have_sent_to_a_victim_is_little():
    """One small request under a forged address: at most four datagrams of 516 bytes, however large the options."""
    for asked in ({}, {"blksize": "65464", "windowsize": "65535", "tsize": "0"}):
        body = content_of(MemoryFile(bytes(1 << 20)), Mode.OCTET)
        transfer = Transfer(body, negotiate(asked, body.size, LIMITS), LIMITS, 0.0)
        datagrams = transfer.datagrams_to_send()
        while transfer.outcome is None:
            transfer.handle_timer(transfer.deadline)
            datagrams += transfer.datagrams_to_send()
        *repeated, last = datagrams
        assert isinstance(decode(last), Failure)
        assert len(repeated) == 1 + LIMITS.unanswered_retries
        assert sum(map(len, datagrams)) <= 4 * 516 + 64
    assert TftpLimits().unanswered_per_source <= 4, "such requests at once"
