"""Small discs, read by programs that are none of ours: names, contents and labels are as they were given."""

import io
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.imageformat.iso9660 import disc_in
from appliance.small_disc import LONGEST_NAME, SECTOR, small_disc

MADE = 1_795_400_000.0
FILES = {
    "meta-data": b'{"instance-id": "x"}\n',
    "user-data": b"#cloud-config\n" + b"# a long one\n" * 1000,
    "network-config": b"version: 2\n",
    "vendor-data": b"",
}


def run(*argv):
    assert shutil.which(argv[0]), "packages.txt names it"
    return subprocess.run([str(each) for each in argv], check=True, capture_output=True).stdout


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "seed.iso"
    made.write_bytes(small_disc("CIDATA", FILES, MADE))
    return made


def test_isoinfo_reads_names_and_contents_by_joliet(path):
    listed = run("isoinfo", "-J", "-f", "-i", path).decode().split()
    assert {name.strip("/") for name in listed} == set(FILES)
    for name, content in FILES.items():
        assert run("isoinfo", "-J", "-i", path, "-x", f"/{name}") == content
    about = run("isoinfo", "-d", "-i", path).decode()
    assert "Volume id: CIDATA" in about
    assert "Joliet with UCS level 3 found" in about
    assert "NO Rock Ridge" in about


def test_isoinfo_reads_plain_names_as_firmware_would(path):
    listed = run("isoinfo", "-f", "-i", path).decode().split()
    assert set(listed) == {"/META_DATA.;1", "/USER_DATA.;1", "/NETWORK_CONFIG.;1", "/VENDOR_DATA.;1"}
    assert run("isoinfo", "-i", path, "-x", "/USER_DATA.;1") == FILES["user-data"]


def test_xorriso_takes_all_of_it_out(path, tmp_path):
    out = tmp_path / "out"
    run("xorriso", "-osirrox", "on", "-indev", path, "-extract", "/", out)
    assert {each.name: each.read_bytes() for each in out.iterdir()} == FILES


def test_blkid_finds_it_by_its_label(path):
    """As cloud-init does."""
    found = dict(line.split("=", 1) for line in run("blkid", "-p", "-o", "export", path).decode().splitlines())
    assert (found["LABEL"], found["TYPE"]) == ("CIDATA", "iso9660")


def test_our_own_reader_agrees(path):
    found = disc_in(io.BytesIO(path.read_bytes()), path.stat().st_size)
    assert (found.label, found.size, found.firmware) == ("CIDATA", path.stat().st_size, ())


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(rf"\A[a-zA-Z0-9][a-zA-Z0-9_.-]{{0,{LONGEST_NAME - 2}}}[a-z]\Z"),
        st.binary(max_size=5000),
        max_size=8,
    ).filter(lambda files: len({name.upper().replace("-", "_").replace(".", "_") for name in files}) == len(files))
)
def test_whatever_is_given_is_found_where_the_directory_says(files):
    content = small_disc("X", files, MADE)
    assert len(content) % SECTOR == 0
    assert disc_in(io.BytesIO(content), len(content)).size == len(content)
    assert joliet(content) == files


def joliet(content):
    """The files, by a reader of a few lines: record after record, as ECMA-119 section 9.1 has them."""
    root = int.from_bytes(content[17 * SECTOR + 156 + 2 :][:4], "little") * SECTOR
    found, at = {}, root
    while length := content[at]:
        record = content[at : at + length]
        place, size = (int.from_bytes(record[start : start + 4], "little") for start in (2, 10))
        if not record[25] & 2:
            name = record[33 : 33 + record[32]].decode("utf-16-be")
            found[name] = content[place * SECTOR : place * SECTOR + size]
        at += length
    return found


@pytest.mark.parametrize("label", ["", "a" * 17, "a b", "ä", "a/b", "_"])
def test_labels_that_cannot_be(label):
    with pytest.raises(ValueError, match="cannot be called"):
        small_disc(label, {}, MADE)


@pytest.mark.parametrize(
    "files",
    [
        {"../x": b""},
        {"a/b": b""},
        {"": b""},
        {"x" * (LONGEST_NAME + 1): b""},
        {"a b": b""},
        {"a-b": b"", "a_b": b""},
        {f"{number:02}{'x' * 26}": b"" for number in range(40)},
    ],
)
def test_files_that_cannot_be(files):
    with pytest.raises(ValueError):  # noqa: PT011 - each with words of its own
        small_disc("X", files, MADE)
