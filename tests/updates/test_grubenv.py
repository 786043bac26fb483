"""The environment block, with GRUB's own program as the other side."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ApplianceError
from appliance.updates.grubenv import SIZE, parse, render

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)
VALUES = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Z")), max_size=30)


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_what_is_written_is_read(values: dict[str, str]) -> None:
    block = render(values)
    assert len(block) == SIZE
    assert parse(block) == values


def test_grub_reads_what_we_write_and_we_what_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "grubenv"
    path.write_bytes(render({"ORDER": "B A", "A_OK": "1", "odd": r"back\slash"}))
    listed = subprocess.run(["grub-editenv", path, "list"], capture_output=True, text=True, check=True).stdout
    assert listed == "ORDER=B A\nA_OK=1\nodd=back\\slash\n"
    subprocess.run(["grub-editenv", path, "set", "A_TRY=2", "ORDER=A B"], check=True)
    assert parse(path.read_bytes()) == {"ORDER": "A B", "A_OK": "1", "odd": "back\\slash", "A_TRY": "2"}


@pytest.mark.parametrize("block", [b"", b"#" * SIZE, render({}) + b"#", b"# GRUB Environment Block\n"])
def test_what_is_no_block_is_said_so(block: bytes) -> None:
    with pytest.raises(ApplianceError, match="cannot be read"):
        parse(block)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ApplianceError, match="room for 1024 bytes"):
        render({"long": "x" * SIZE})
