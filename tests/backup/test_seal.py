"""The chunks of a backup: what was written comes out, or nothing does."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.backup.format import Derivation
from appliance.backup.seal import CHUNK, DigestSeal, PassphraseSeal, SealedReader, SealedWriter
from appliance.errors import ApplianceError

CHEAP = Derivation("00" * 16, passes=1, memory_kib=8, lanes=1)
SEALS = [DigestSeal(), PassphraseSeal("secret", CHEAP)]
HEADER = b"the header"


def sealed(seal, *texts, header=HEADER):
    file = io.BytesIO()
    writer = SealedWriter(file, seal, header)
    for text in texts:
        writer.write(text)
    writer.finish()
    return file.getvalue()


def opened(seal, content, header=HEADER):
    reader = SealedReader(io.BytesIO(content), seal, header, "it")
    found = b""
    while block := reader.read(70_000):
        found += block
    reader.finish()
    return found


@pytest.mark.parametrize("seal", SEALS)
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_written_comes_out(seal, size):
    text = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert opened(seal, sealed(seal, text[:100], text[100:])) == text


@pytest.mark.parametrize("seal", SEALS)
@given(data=st.data())
@settings(max_examples=150)
def test_any_flipped_bit_and_any_early_end_is_noticed(seal, data):
    content = bytearray(sealed(seal, b"some text that matters"))
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    with pytest.raises(ApplianceError) as raised:
        opened(seal, bytes(content))
    assert raised.value.code in {"backup-damaged", "passphrase-wrong"}


@pytest.mark.parametrize("seal", SEALS)
def test_chunks_cannot_change_places_go_or_come(seal):
    content, whole = sealed(seal, b"a" * CHUNK, b"b" * CHUNK, b"c"), 4 + CHUNK + seal.tag_size
    first, second, third = content[:whole], content[whole : 2 * whole], content[2 * whole :]
    assert opened(seal, first + second + third) == b"a" * CHUNK + b"b" * CHUNK + b"c"
    for other in (
        second + first + third,
        first + third,
        first + second,
        first + first + second + third,
        content + b"x",
    ):
        with pytest.raises(ApplianceError, match=r"damaged|passphrase"):
            opened(seal, other)


@pytest.mark.parametrize("seal", SEALS)
def test_chunks_belong_to_their_header(seal):
    with pytest.raises(ApplianceError):
        opened(seal, sealed(seal, b"text"), header=b"another header")


def test_another_passphrase_is_told_from_damage_further_on():
    content = sealed(SEALS[1], b"a" * CHUNK, b"b")
    with pytest.raises(ApplianceError) as raised:
        opened(PassphraseSeal("Secret", CHEAP), content)
    assert raised.value.code == "passphrase-wrong"
    with pytest.raises(ApplianceError) as raised:
        opened(SEALS[1], content[:-1] + bytes([content[-1] ^ 1]))
    assert raised.value.code == "backup-damaged"


def test_a_letter_is_the_same_from_every_keyboard():
    content = sealed(PassphraseSeal("gr\u00fcn", CHEAP), b"text")
    assert opened(PassphraseSeal("gru\u0308n", CHEAP), content) == b"text"


def test_an_encrypted_text_cannot_be_read():
    assert b"matters" not in sealed(SEALS[1], b"some text that matters")


def test_a_medium_that_cannot_be_read_is_told_as_that():
    class Broken:
        def read(self, size):
            raise OSError(5, "Input/output error")

    with pytest.raises(ApplianceError) as raised:
        SealedReader(Broken(), DigestSeal(), b"header", "/mnt/usb/b").read()
    assert (raised.value.code, raised.value.message) == ("file-unreadable", "/mnt/usb/b: Input/output error")
