"""Updates: what is taken out of an image, what RAUC is told, what is asked of who signs."""

import argparse
import json
import subprocess
from pathlib import Path

import pytest
from builder import appliance, appliance_cli, bundle, cli, twice
from builder.errors import BuildError


def test_the_root_is_taken_out_of_the_compressed_disk(tmp_path: Path) -> None:
    raw, content = tmp_path / "disk.raw", b"root".ljust(5000, b"\0") + b"end" + bytes(3 << 20)
    raw.write_bytes(bytes(3 << 20) + content + b"what comes after")
    subprocess.run(["zstd", "-q", raw], check=True)
    bundle.extract(tmp_path / "disk.raw.zst", 3 << 20, len(content), tmp_path / "root.img")
    assert (tmp_path / "root.img").read_bytes() == content


@pytest.mark.parametrize("offset", [100, 4096])
def test_an_image_that_is_cut_short_is_no_update(tmp_path: Path, offset: int) -> None:
    raw = tmp_path / "disk.raw"
    raw.write_bytes(bytes(105))
    subprocess.run(["zstd", "-q", raw], check=True)
    with pytest.raises(BuildError, match="ends before"):
        bundle.extract(tmp_path / "disk.raw.zst", offset, 10, tmp_path / "root.img")


def test_rauc_takes_the_bundle_for_this_product_only() -> None:
    settings = (cli.cache.SOURCE / "appliance/root/etc/rauc/system.conf").read_text()
    assert f"compatible={bundle.COMPATIBLE}\n" in settings
    text = bundle.manifest("1.2.3", "abc")
    assert f"compatible={bundle.COMPATIBLE}\n" in text
    assert "version=1.2.3\nbuild=abc\n" in text
    assert "format=verity\n" in text


def test_a_key_that_cannot_be_read_is_said_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "image.json").write_text(json.dumps({}))
    signer = bundle.Signer(tmp_path / "key.pem", tmp_path / "cert.pem")
    with pytest.raises(BuildError, match=r"key\.pem cannot be read"):
        bundle.build(tmp_path, signer, tmp_path, tmp_path, tmp_path)


def test_a_bundle_without_key_or_keyring_that_is_not_there_builds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(appliance, "build", lambda *_: pytest.fail("built"))
    assert cli.main(["bundle", "--cache", str(tmp_path)]) == 1
    assert "--key FILE --cert FILE" in capsys.readouterr().err
    assert cli.main(["appliance", "--cache", str(tmp_path), "--keyring", str(tmp_path / "none.pem")]) == 1
    assert "none.pem is not there" in capsys.readouterr().err


def test_who_may_sign_is_part_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path | None] = []
    monkeypatch.setattr(appliance, "build", lambda kept, wanted: seen.append(wanted.keyring) or kept)
    ring = tmp_path / "ring.pem"
    ring.write_text("x")
    line = argparse.Namespace(keyring=ring, cache=tmp_path, twice=False, output=None)
    assert appliance_cli.image(line) == tmp_path
    assert seen == [ring]


def test_differences_of_two_builds_are_named() -> None:
    assert twice.differences({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "x", "d": "4"}) == {"b", "c", "d"}
