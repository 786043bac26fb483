"""Many datagrams for one system call: each answer goes to whom it belongs."""

import socket

import pytest

from appliance.netboot.batch import Batch


@pytest.fixture
def listening():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        yield made


def client(listening, source="127.0.0.1"):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(10)
    made.bind((source, 0))
    made.connect(listening.getsockname())
    return made


def test_answers_go_to_those_who_asked_whatever_their_order(listening):
    batch = Batch(listening, 8, 512)
    clients = [client(listening, f"127.0.0.{number + 2}") for number in range(6)]
    for number, each in enumerate(clients):
        each.send(b"question %d" % number * (number + 1))
    received = batch.receive(8)
    assert [data for data, _ in received] == [b"question %d" % number * (number + 1) for number in range(6)]
    assert [batch.source(number) for number in range(6)] == [each.getsockname() for each in clients]
    assert len({address for _, address in received}) == 6
    batch.answer([(number, b"answer %d" % number) for number in (4, 1, 5)])
    for number in (4, 1, 5):
        assert clients[number].recv(100) == b"answer %d" % number
    for number in (0, 2, 3):
        clients[number].setblocking(False)
        with pytest.raises(BlockingIOError):
            clients[number].recv(100)
    for each in clients:
        each.close()


def test_one_address_has_one_number(listening):
    batch = Batch(listening, 8, 512)
    first, second = client(listening), client(listening)
    for each in (first, second, first):
        each.send(b"x")
    assert len({address for _, address in batch.receive(8)}) == 1
    assert batch.source(0) != batch.source(1)
    first.close()
    second.close()


def test_no_more_than_asked_for_and_nothing_where_nothing_came(listening):
    batch = Batch(listening, 4, 512)
    assert batch.receive(4) == []
    with client(listening) as sender:
        for number in range(10):
            sender.send(bytes([number]))
        assert [data[0] for most in (3, 100, 4, 4) for data, _ in batch.receive(most)] == list(range(10))
    assert batch.receive(4) == []


def test_what_is_too_long_is_cut_and_harms_no_neighbour(listening):
    batch = Batch(listening, 4, 16)
    with client(listening) as sender:
        for data in (b"a" * 16, b"b" * 2000, b"", b"c"):
            sender.send(data)
        assert [data for data, _ in batch.receive(4)] == [b"a" * 16, b"b" * 16, b"", b"c"]
        batch.answer([(0, b"w" * 16), (3, b"")])
        assert (sender.recv(100), sender.recv(100)) == (b"w" * 16, b"")


def test_one_answer_that_cannot_be_sent_costs_no_other(listening):
    batch = Batch(listening, 4, 512)
    with client(listening) as sender:
        for number in range(3):
            sender.send(bytes([number]))
        batch.receive(4)
        batch._peers[16 + 2 : 16 + 4] = b"\0\0"  # the second came from port 0, where nobody can hear
        batch.answer([(number, bytes([number])) for number in range(3)])
        assert (sender.recv(100), sender.recv(100)) == (b"\0", b"\2")


def test_a_socket_without_room_drops_answers_and_does_not_wait(listening):
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    batch = Batch(listening, 64, 1232)
    with client(listening) as sender:
        for _ in range(64):
            sender.send(b"x")
        received = batch.receive(64)
        batch.answer([(number, b"y" * 1232) for number in range(len(received))])
        assert sender.recv(2000) == b"y" * 1232
