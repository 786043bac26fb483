"""Pieces that several transfers share: the newest, no more than agreed, and none for one alone."""

import asyncio
import random

from test_tftp_server import ADDRESS, client_program, serving

from appliance.netboot.tftp import files
from appliance.netboot.tftp.files import DirectoryFiles
from appliance.netboot.tftp.pieces import Piece, Pieces


def piece(size):
    return Piece(((b"packet", b"ack"),), size)


def kept(pieces, *keys):
    return [key for key in keys if pieces.get(key)]


def shared(most):
    pieces = Pieces(most)
    pieces.expect(2)
    return pieces


def test_what_was_asked_for_last_stays():
    pieces = shared(30)
    for key in "abc":
        pieces.keep(key, piece(10))
    assert pieces.get("a") == piece(10)
    pieces.keep("d", piece(10))
    assert kept(pieces, *"abcd") == ["a", "c", "d"]


def test_large_pieces_push_out_several_and_what_is_too_large_is_not_kept():
    pieces = shared(30)
    for key in "abc":
        pieces.keep(key, piece(10))
    pieces.keep("d", piece(20))
    assert kept(pieces, *"abcd") == ["c", "d"]
    pieces.keep("e", piece(31))
    assert kept(pieces, *"abcde") == []
    pieces.keep("f", piece(30))
    assert kept(pieces, "f") == ["f"]


def test_one_transfer_alone_keeps_nothing_and_leaves_nothing():
    pieces = Pieces(30)
    pieces.keep("a", piece(10))
    assert kept(pieces, "a") == []
    pieces.expect(2)
    pieces.keep("a", piece(10))
    pieces.expect(1)
    pieces.expect(2)
    assert kept(pieces, "a") == []
    pieces.keep("b", piece(30))
    assert kept(pieces, "b") == ["b"], "and the room is there again"


async def test_clients_that_share_what_is_read_all_get_the_file_and_nothing_is_left_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_SETTLED_NANOSECONDS", -1)
    content = random.Random(4).randbytes(300_000)
    (tmp_path / "loader").write_bytes(content)
    many = {"transfers_per_source": 64, "unanswered_per_source": 64, "shared": 50_000}
    async with serving(DirectoryFiles(tmp_path), **many) as (server, facts):
        url = f"tftp://{ADDRESS}:{server.port}/loader"
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                size = ["--tftp-blksize", "1000"] if number % 3 else []
                tasks.create_task(client_program("curl", "-sS", *size, "-o", f"got{number}", url, cwd=tmp_path))
        await facts.until(lambda facts: len(facts) == 6)
        assert server._pieces._kept == {}
    assert {(tmp_path / f"got{number}").read_bytes() for number in range(6)} == {content}
