"""``qrm backup``, ``health``, ``support-bundle`` and ``factory-reset`` against an appliance over TLS."""

import tarfile
from pathlib import Path

from cli_world import Cli

from appliance.backup.contents import Nowhere, read
from appliance.certificates import authority

PASSPHRASE = "a horse on a bicycle"


def configured(qrm: Cli) -> Path:
    """The state directory of the appliance, with its configuration file and authority."""
    state = qrm.world.services.state_dir
    authority(state, 0)
    (state / "appliance.toml").write_text(f'[site]\nstate_dir = "{state}"\n')
    return state


async def test_a_backup_goes_out_and_comes_back(qrm: Cli, tmp_path: Path) -> None:
    configured(qrm)
    file, secret = tmp_path / "out.qrmstate", tmp_path / "passphrase"
    secret.write_text(f"{PASSPHRASE}\n")
    ended = await qrm.run("backup", "download", str(file), "--passphrase-file", str(secret))
    assert "encrypted" in ended.out
    assert file.stat().st_mode & 0o777 == 0o600
    assert read(file, lambda: PASSPHRASE, Nowhere()).manifest.members
    refused = await qrm.run("backup", "download", str(file), "--passphrase-file", str(secret), code=1)
    assert "--force" in refused.err
    host = (await qrm.run("backup", "upload", str(file))).out.split("backup of")[1].split()[0]
    assert (await qrm.run("backup", "show", "--json")).json["uploaded"]["encrypted"]
    assert (await qrm.run("backup", "restore", "--confirm", "another", code=1)).err.strip()
    wrong = tmp_path / "wrong"
    wrong.write_text("not this one at all\n")
    ended = await qrm.run("backup", "restore", "--confirm", host, "--passphrase-file", str(wrong), code=4)
    assert "passphrase-wrong" in ended.err
    ended = await qrm.run("backup", "restore", "--confirm", host, "--passphrase-file", str(secret))
    assert "begins anew" in ended.out
    assert (await qrm.run("backup", "discard")).out
    assert "no backup was uploaded" in (await qrm.run("backup", "show")).out


async def test_a_passphrase_that_is_short_and_a_file_that_is_none(qrm: Cli, tmp_path: Path) -> None:
    configured(qrm)
    file = tmp_path / "out.qrmstate"
    ended = await qrm.run("backup", "download", str(file), stdin="short\n", code=4)
    assert "passphrase-short" in ended.err
    assert not file.exists(), "nothing is left of it"
    assert "file-unreadable" in (await qrm.run("backup", "upload", str(tmp_path / "nothing"), code=1)).err
    file.write_bytes(b"x" * 100)
    assert "backup-foreign" in (await qrm.run("backup", "upload", str(file), code=4)).err


async def test_health_and_the_support_bundle(qrm: Cli, tmp_path: Path) -> None:
    ended = await qrm.run("health")
    assert "Certificate" in ended.out or "certificate" in ended.out.lower()
    found = (await qrm.run("health", "--json")).json
    assert not found["flashed"]
    file = tmp_path / "support.tar.gz"
    assert "look through it" in (await qrm.run("support-bundle", str(file))).out
    with tarfile.open(file) as tar:
        names = [name.partition("/")[2] for name in tar.getnames()]
    assert {"README.txt", "about.json", "events.jsonl", "problems.txt"} <= set(names)
    assert "was not flashed" in (await qrm.run("packages")).out


async def test_what_takes_a_flashed_appliance_is_refused_elsewhere(qrm: Cli) -> None:
    name = (await qrm.run("health", "--json")).json["name"]
    ended = await qrm.run("factory-reset", "--confirm", name, code=4)
    assert "helper-missing" in ended.err
    assert "no way back" in ended.err, "what is lost was said first"
    assert "helper-missing" in (await qrm.run("identify", "sda", code=4)).err
