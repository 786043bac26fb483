"""Root file systems in archives: what is in them, and which of them nobody should unpack."""

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import OS_RELEASE, PROGRAM, entry, no_zstd, system, tar

from appliance.errors import Invalid
from appliance.imageformat import unpacking
from appliance.imageformat.found import Found
from appliance.imageformat.recognise import recognised
from appliance.imageformat.tar import needs_of
from appliance.imageformat.unpacking import Limited


def found_in(content: bytes, told: Callable[[int], object] = bool) -> Found:
    return recognised(io.BytesIO(content), len(content), no_zstd, told)


SIZE = len(OS_RELEASE) + len(PROGRAM)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress], ids=["plain", "gzip", "xz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_system_is_read_however_it_is_packed(pack: Callable[[bytes], bytes], form: int) -> None:
    found = found_in(pack(system(form=form)))
    assert found == Found("tar", SIZE, architecture="amd64", distribution="Debian GNU/Linux 13 (trixie)")


@pytest.mark.parametrize("size", ["9" * 5000, "-1", "", "١٢", "0x10", "1e9"])
def test_a_size_that_is_none_is_not_believed(size: str) -> None:
    sparse = entry("usr/sparse", content=b"x" * 5000)
    sparse.pax_headers = {"GNU.sparse.realsize": size}
    content = system((sparse, b"x" * 5000))
    assert found_in(content).size == SIZE + 5000
    assert needs_of(Limited(io.BytesIO(content), len(content))).blocks == 6


@given(st.binary(max_size=600), st.integers(0, 12), st.integers(0, 511))
def test_whatever_is_written_over_a_header_is_counted_or_refused(junk: bytes, block: int, at: int) -> None:
    content = bytearray(system())
    content[block * 512 + at : block * 512 + at + len(junk)] = junk
    with suppress(Invalid):
        needs = needs_of(Limited(io.BytesIO(bytes(content)), len(content)))
        assert 0 < needs.inodes < 20
        assert 0 < needs.length <= len(content)


def test_members_behind_each_other_are_one_stream() -> None:
    content = system()
    for pack in (gzip.compress, lzma.compress):
        assert found_in(pack(content[:700]) + pack(content[700:])).size == SIZE


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_links_are_read(form: int) -> None:
    long = "usr/share/" + "a" * 150 + "/" + "é" * 60
    found = found_in(
        system((entry(long, content=b"x"), b"x"), (entry("l", tarfile.SYMTYPE, target="t" * 150), b""), form=form)
    )
    assert found.size == SIZE + 1


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        ([entry("../etc/cron.d/mine")], "leads out"),
        ([entry("usr/../../x")], "leads out"),
        ([entry("/etc/passwd")], "begins at the root"),
        ([entry("etc/sda", tarfile.BLKTYPE)], "is a device"),
        ([entry("etc/null", tarfile.CHRTYPE)], "is a device"),
        ([entry("tmp", tarfile.SYMTYPE, target="/"), entry("tmp/etc/passwd")], "through a symbolic link"),
        ([entry("./a", tarfile.SYMTYPE, target=".."), entry("a//./b/c")], "through a symbolic link"),
        ([entry("x", tarfile.LNKTYPE, target="../../etc/shadow")], "leads out"),
        ([entry("x", tarfile.LNKTYPE, target="/etc/shadow")], "begins at the root"),
        ([entry("s", tarfile.SYMTYPE, target="/"), entry("x", tarfile.LNKTYPE, target="s/etc/shadow")], "hard link"),
    ],
)  # fmt: skip
def test_what_would_lead_elsewhere_when_it_is_unpacked_is_refused(hostile: list[tarfile.TarInfo], words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        found_in(system(*((each, b"") for each in hostile)))
    assert refused.value.code == "image-escapes"


def test_devices_of_a_system_and_its_own_links_are_no_trouble() -> None:
    own = [
        entry("dev/null", tarfile.CHRTYPE),
        entry("lib", tarfile.SYMTYPE, target="usr/lib"),
        entry("p", tarfile.FIFOTYPE),
    ]
    assert found_in(system(*((each, b"") for each in own))).size == SIZE


def test_what_is_no_system_is_said_so() -> None:
    with pytest.raises(Invalid, match="no root file system"):
        found_in(tar((entry("photos/a.jpg", content=b"x"), b"x")))
    with pytest.raises(Invalid, match="no tar archive"):
        found_in(gzip.compress(b"x" * 5000))


def test_an_archive_that_swells_is_not_unpacked_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "GRACE", 1 << 20)
    zeros = bytes(64 << 20)
    seen: list[int] = []
    with pytest.raises(Invalid, match="unpacks to more than") as refused:
        found_in(gzip.compress(system((entry("usr/zeros", content=zeros), zeros)), 1), seen.append)
    assert refused.value.code == "image-bomb"
    assert max(seen) < 64 << 20
    assert unpacking.MOST_BYTES < 1 << 43, "and there is an end, whatever the ratio"


def test_a_limit_holds_whatever_the_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_BYTES", 4096)
    with pytest.raises(Invalid, match="unpacks to more than"):
        found_in(system((entry("usr/x", content=bytes(8192)), bytes(8192))))


def test_headers_that_claim_much_take_no_memory() -> None:
    head = bytearray(tar((entry("x", tarfile.XHDTYPE), b""))[:512])
    head[124:136] = b"77777777777\0"
    head[148:156] = b"%06o\0 " % (sum(head[:148]) + sum(head[156:]) + 8 * 32)
    with pytest.raises(Invalid, match="a header of the archive has"):
        found_in(bytes(head) + bytes(4096))


def test_a_memory_hungry_xz_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = lzma.compress(system(), preset=9)
    monkeypatch.setattr(unpacking, "XZ_MEMORY", 1 << 20)
    with pytest.raises(Invalid, match="cannot be unpacked"):
        found_in(packed)


def test_who_listens_may_end_it() -> None:
    class Enough(Exception):
        pass

    def told(_: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        found_in(system(), told)


@given(st.binary(max_size=600), st.integers(0, 4000), st.sampled_from([bytes, gzip.compress, lzma.compress]))
def test_any_bytes_are_a_system_or_refused(noise: bytes, at: int, pack: Callable[[bytes], bytes]) -> None:
    content = system()
    for each in (pack(content[:at] + noise + content[at + len(noise) :]), (pack(content)[:at] + noise)):
        with suppress(Invalid):
            found_in(each)


@given(
    st.lists(
        st.tuples(st.sampled_from(["path", "size", "linkpath", "GNU.sparse.name", "x"]), st.text(max_size=40)),
        max_size=5,
    )
)
def test_any_extended_header_is_read_or_refused(records: list[tuple[str, str]]) -> None:
    hurt = entry("usr/lib/x", content=b"x")
    hurt.pax_headers = dict(records)
    try:
        content = tar((hurt, b"x"))
    except (ValueError, UnicodeError):
        return
    with suppress(Invalid):
        found_in(content)
