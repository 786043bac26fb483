"""Packages of Debian: as dpkg-deb makes them, and with any byte changed."""

import io
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Invalid
from appliance.imageformat import deb

HEADER = b"data.tar.xz     0           0     0     100644  4         `\n"


def member(name: str, content: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
    return head + content + b"\n" * (len(content) % 2)


def made(*members: tuple[str, bytes]) -> io.BytesIO:
    return io.BytesIO(deb.MAGIC + b"".join(member(*each) for each in members))


def test_its_content_lies_behind_its_header() -> None:
    found = made(("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", b"content"))
    at, size = deb.content_of(found)
    assert found.getvalue()[at : at + size] == b"content"


def test_names_may_end_as_other_programs_write_them() -> None:
    found = made(("data.tar/", b"content"))
    assert deb.content_of(found).size == 7


def test_it_is_found_in_what_another_program_made(tmp_path: Path) -> None:
    control = tmp_path / "tree/DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text("Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: a\n")
    subprocess.run(["dpkg-deb", "-Znone", "--build", tmp_path / "tree", tmp_path / "a.deb"], check=True)
    stored = io.BytesIO((tmp_path / "a.deb").read_bytes())
    at, size = deb.content_of(stored)
    assert (stored.getvalue()[at + 257 : at + 262], at + size) == (b"ustar", len(stored.getvalue()))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (made(("debian-binary", b"2.0\n")), "too early|no data.tar"),
        (io.BytesIO(b"!<thin>\n" + HEADER), "no package"),
        (io.BytesIO(deb.MAGIC + HEADER + b"abc"), "too early"),
        (io.BytesIO(deb.MAGIC + HEADER[:48] + b"-4        `\n" + b"abcd"), "damaged"),
        (io.BytesIO(deb.MAGIC + HEADER[:58] + b"xx" + b"abcd"), "damaged"),
        (made(*((f"_{number}", b"") for number in range(100))), "no data.tar"),
    ],
)
def test_what_is_none_is_refused(found: io.BytesIO, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        deb.content_of(found)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_answered_in_words(content: bytes, begins: bool) -> None:
    stored = io.BytesIO((deb.MAGIC if begins else b"") + content)
    try:
        at, size = deb.content_of(stored)
    except Invalid:
        return
    assert 0 < at <= at + size <= len(stored.getvalue())
