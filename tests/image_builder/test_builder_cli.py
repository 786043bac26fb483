"""The builder's command line, and where it puts what was built."""

import json

import pytest
from builder import cli
from builder.errors import BuildError


@pytest.fixture
def built(tmp_path, monkeypatch):
    """The cache with one small result for each kind instead of an hour of building."""
    cache = tmp_path / "cache"

    def builder(kind):
        def build(directory):
            assert directory == cache
            result = directory / f"{kind}-0123"
            result.mkdir(parents=True, exist_ok=True)
            (result / "content").write_text(f"new {kind}")
            (result / "content").chmod(0o600)
            return result

        return build

    monkeypatch.setattr(cli, "BUILDERS", {kind: builder(kind) for kind in ("programs", "stack", "demo")})
    return cache


def test_results_stay_in_the_cache_unless_asked_otherwise(built, tmp_path, capsys):
    assert cli.main(["all", "--cache", str(built)]) == 0
    expected = {kind: str(built / f"{kind}-0123") for kind in ("programs", "stack", "demo")}
    assert json.loads(capsys.readouterr().out) == expected


def test_output_holds_everything_for_everybody_to_read(built, tmp_path, capsys):
    output = tmp_path / "share" / "qrm"
    assert cli.main(["all", "--cache", str(built), "--output", str(output)]) == 0
    assert json.loads(capsys.readouterr().out) == {k: str(output / k) for k in ("programs", "stack", "demo")}
    assert {path.name for path in output.iterdir()} == {"programs", "stack", "demo"}
    assert (output / "stack" / "content").read_text() == "new stack"
    assert (output / "stack" / "content").stat().st_mode & 0o777 == 0o644
    assert (output / "stack").stat().st_mode & 0o777 == 0o755


def test_output_takes_the_place_of_what_was_there(built, tmp_path):
    output = tmp_path / "share"
    for left in ("stack", ".stack-new", ".stack-old"):
        (output / left).mkdir(parents=True)
        (output / left / "of-before").write_text("old")
    assert cli.main(["stack", "--cache", str(built), "--output", str(output)]) == 0
    assert [path.name for path in output.iterdir()] == ["stack"]
    assert [path.name for path in (output / "stack").iterdir()] == ["content"]


def test_an_output_that_cannot_be_written_is_said(built, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["stack", "--cache", str(built), "--output", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err


def test_a_build_that_fails_puts_nothing_anywhere(tmp_path, monkeypatch, capsys):
    def fails(_):
        raise BuildError("no such package")

    monkeypatch.setattr(cli, "BUILDERS", {"stack": fails})
    assert cli.main(["stack", "--cache", str(tmp_path), "--output", str(tmp_path / "out")]) == 1
    assert "no such package" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
