"""The daemon's Python packages are the same wherever they are unpacked."""

from pathlib import Path

from builder.appliance_python import drop_programs


def test_programs_with_our_path_in_them_are_forgotten_and_their_hashes_with_them(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").write_text("#!/home/somebody/.venv/bin/python\n")
    record = tmp_path / "tool-1.dist-info/RECORD"
    record.parent.mkdir()
    record.write_bytes(b"../../bin/tool,sha256=abc,33\r\ntool/__init__.py,sha256=def,5\r\n")
    drop_programs(tmp_path)
    assert not (tmp_path / "bin").exists()
    assert record.read_bytes() == b"tool/__init__.py,sha256=def,5\r\n"
