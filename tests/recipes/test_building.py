"""The program that makes an image: what it says, what it leaves, why it fails; with programs of paper but once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from appliance.errors import ApplianceError
from appliance.recipes import building
from appliance.recipes.building import FAILED, ORDER, SAID, Building, check_tools, make
from appliance.recipes.order import IMAGE, TREE, Order
from appliance.recipes.recipe import KEYRINGS, parsed
from appliance.recipes.shelf import OURS

RECIPE = parsed((OURS / "debian-13.toml").read_text())
WELL = """
import sys, time
place = sys.argv[-2]
for line in ("I: running apt-get update...", "I: extracting archives...", "I: creating tarball..."):
    print(line, file=sys.stderr)
open(place, "wb").write(b"tree" * 1000)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With an order, on a computer that has everything."""
    where = tmp_path / "place"
    where.mkdir()
    order(where)
    monkeypatch.setattr(building, "missing", lambda keyring, *, whole_disk: "")
    return where


def order(place: Path, minutes: int = 120) -> None:
    asked = Order(msgspec.convert(msgspec.to_builtins(RECIPE) | {"minutes": minutes}, type(RECIPE)))
    (place / ORDER).write_bytes(msgspec.json.encode(asked))


def programs(directory: Path, monkeypatch: pytest.MonkeyPatch, mmdebstrap: str, packer: str = "cat >$6") -> None:
    """In the place of those that are installed."""
    found = directory / "programs"
    found.mkdir()
    (found / "mmdebstrap").write_text(f"#!{sys.executable}\n{mmdebstrap}")
    (found / "tar2sqfs").write_text(f"#!/bin/sh\n{packer}\n")
    for each in found.iterdir():
        each.chmod(0o755)
    monkeypatch.setenv("PATH", f"{found}:{os.environ['PATH']}")


def why(place: Path) -> dict[str, str]:
    return dict(json.loads((place / FAILED).read_bytes()))


def said(place: Path) -> list[tuple[float, str]]:
    return [(each["share"], each["text"]) for each in map(json.loads, (place / SAID).read_text().splitlines())]


def test_it_says_how_far_it_is_and_leaves_the_image_alone(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path, monkeypatch, WELL, f"cat >{place / IMAGE}")
    assert make(place) == 0
    assert (place / IMAGE).read_bytes() == b"tree" * 1000
    assert not (place / TREE).exists()
    assert not (place / FAILED).exists()
    shares = [share for share, _ in said(place)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("E: Unable to locate package systemd-sysvv", "name packages that this release has"),
        ("W: GPG error: http://x trixie InRelease: NO_PUBKEY 6ED0E7B82643E131", "is not signed by the keyring"),
        ("E: Failed to fetch http://deb.debian.org/x  Could not connect to proxy", "see whether the mirror"),
        ("tar: root.tar: Cannot write: File too large", "larger than the recipe allows"),
        ("something else", "see the log"),
    ],
)
def test_why_it_failed_is_told_with_what_to_do(
    line: str, hint: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path, monkeypatch, f"import sys; print({line!r}, file=sys.stderr); sys.exit(25)")
    assert make(place) == 1
    assert why(place)["code"] == "recipe-failed"
    assert line in why(place)["message"]
    assert hint in why(place)["hint"]


def test_it_ends_when_its_time_is_over_and_with_it_what_it_started(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "notes"
    programs(
        tmp_path,
        monkeypatch,
        "import os, signal, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(notes)!r}, 'a').write('tidied '), os._exit(1)))\n"
        f"open({str(notes)!r}, 'a').write('began ')\n"
        "time.sleep(600)",
    )
    monkeypatch.setattr(building, "limit", lambda _: 1.5)
    assert make(place) == 1
    assert why(place)["code"] == "recipe-too-long"
    subprocess.run(["timeout", "20", "sh", "-c", f"until grep -q tidied {notes}; do sleep 0.05; done"], check=True)


def test_it_stops_before_a_disk_is_full(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = tmp_path / "began"
    programs(tmp_path, monkeypatch, f"import time; open({str(began)!r}, 'w'); time.sleep(600)")
    room = os.statvfs(tmp_path)
    monkeypatch.setattr(building, "LOOK_EVERY", 0.1)

    def free(path: object) -> os.statvfs_result:
        return os.statvfs_result((*room[:4], 0 if began.exists() else room[4], *room[5:]))

    monkeypatch.setattr(building, "statvfs", free)
    assert make(place) == 1
    assert why(place)["code"] == "recipe-no-room"
    assert began.exists()


def test_a_packer_that_fails_leaves_no_image_that_is_believed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path, monkeypatch, WELL, "echo 'tar: bad header' >&2; exit 1")
    assert make(place) == 1
    assert why(place)["code"] == "recipe-failed"
    assert why(place)["message"].startswith("the image could not be made of the files: ")
    assert "bad header" in why(place)["message"]
    assert not (place / TREE).exists()


def test_a_packer_that_ends_without_a_word_on_a_full_disk_is_told_as_that(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tar2sqfs does."""
    full, room = tmp_path / "full", os.statvfs(tmp_path)
    programs(tmp_path, monkeypatch, WELL, f"cat >/dev/null; touch {full}; exit 1")

    def free(path: object) -> os.statvfs_result:
        return os.statvfs_result((*room[:4], 0 if full.exists() else room[4], *room[5:]))

    monkeypatch.setattr(building, "statvfs", free)
    assert make(place) == 1
    assert why(place)["code"] == "recipe-no-room"


async def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(KEYRINGS, "ubuntu", ("/nonexistent/ubuntu.gpg", "ubuntu-keyring"))
    with pytest.raises(ApplianceError) as refused:
        await check_tools("ubuntu", False)
    assert refused.value.code == "recipe-tools-missing"
    assert {"mmdebstrap", "squashfs-tools-ng", "ubuntu-keyring", "uidmap"} <= set(refused.value.message.split())
    assert "mtools" not in refused.value.message
    with pytest.raises(ApplianceError, match=r"e2fsprogs .* mtools .* zstd"):
        await check_tools("debian", True)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("release", ["debian-12", "debian-13"])
def test_a_small_debian_is_made_by_the_real_programs(release: str, tmp_path: Path) -> None:
    """All of it: the packages of this computer's mirror, in a user namespace, as a root that a reader of ours knows."""
    recipe = parsed((OURS / f"{release}.toml").read_text())
    small = msgspec.to_builtins(recipe) | {"packages": ["systemd-sysv", "openssh-server"], "enable": ["ssh.service"]}
    small |= {"mask": [], "sources": small["sources"][:1]}
    (tmp_path / ORDER).write_bytes(msgspec.json.encode(Order(msgspec.convert(small, type(RECIPE)))))
    Building(tmp_path).run()
    listed = subprocess.run(
        ["unsquashfs", "-lls", tmp_path / IMAGE], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    paths = {line.split(" squashfs-root")[1].split(" -> ")[0]: line for line in listed if " squashfs-root" in line}
    assert {"/usr/lib/systemd/systemd", "/usr/sbin/sshd", "/etc/machine-id"} <= set(paths)
    assert "/etc/systemd/system/multi-user.target.wants/ssh.service" in paths
    assert not [path for path in paths if path.startswith("/etc/ssh/ssh_host_")]
    assert " root/root " in paths["/usr/bin"]
    assert not (tmp_path / TREE).exists()
