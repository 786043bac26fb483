"""The packet reader takes what real clients send and refuses everything else with a reason."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.tftp.packet import (
    Ack,
    Data,
    Failure,
    MalformedPacketError,
    Mode,
    OptionsAck,
    ReadRequest,
    WriteRequest,
    decode,
    encode,
)

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1, max_size=40)
OPTIONS = st.dictionaries(TEXT.map(str.lower).filter(lambda text: text == text.lower()), TEXT, max_size=5)


def test_request_with_options_in_any_case():
    packet = decode(b"\0\1a/b.efi\0OcTeT\0BLKSIZE\x001468\0tsize\x000\0")
    assert packet == ReadRequest("a/b.efi", Mode.OCTET, {"blksize": "1468", "tsize": "0"})


def test_request_with_the_dhcp_end_marker_in_its_name():
    assert decode(b"\0\1undionly.kpxe\xff\0octet\0") == ReadRequest("undionly.kpxe", Mode.OCTET)


def test_request_with_padding_after_its_end():
    assert decode(b"\0\1a\0octet\0\0\0\0") == ReadRequest("a", Mode.OCTET, {"": ""})


def test_the_first_of_a_repeated_option_counts():
    packet = decode(b"\0\1a\0octet\0blksize\x00600\0BLKSIZE\x00700\0")
    assert isinstance(packet, ReadRequest)
    assert packet.options["blksize"] == "600"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes"),
        (b"\0\1a", "3 bytes"),
        (b"\0\1abc", "terminating zero"),
        (b"\0\1name\0", "file name and a mode"),
        (b"\0\1\0octet\0", "empty"),
        (b"\0\1a\0mail\0", "octet or netascii"),
        (b"\0\1" + b"a" * 2000 + b"\0octet\0", "more than 1024"),
        (b"\0\7aaaa", "opcode 7"),
        (b"\xff\xffaaaa", "opcode 65535"),
    ],
)
def test_garbage_is_refused_with_its_reason(data, reason):
    with pytest.raises(MalformedPacketError, match=reason):
        decode(data)


@given(st.binary(max_size=1200))
def test_no_bytes_crash_the_reader(data):
    with contextlib.suppress(MalformedPacketError):
        decode(data)


@given(st.sampled_from([b"\0\1", b"\0\2", b"\0\5", b"\0\6"]), st.lists(st.binary(max_size=12), max_size=8))
def test_no_strings_crash_the_reader(opcode, fields):
    test_no_bytes_crash_the_reader.hypothesis.inner_test(opcode + b"\0".join(fields))


@given(
    st.one_of(
        st.builds(ReadRequest, TEXT, st.sampled_from(Mode), OPTIONS),
        st.builds(WriteRequest, TEXT),
        st.builds(Data, st.integers(0, 65535), st.binary(max_size=600)),
        st.builds(Ack, st.integers(0, 65535)),
        st.builds(Failure, st.integers(0, 65535), TEXT),
        st.builds(OptionsAck, OPTIONS.filter(bool)),
    )
)
def test_what_is_written_is_read_back(packet):
    assert decode(encode(packet)) == packet
