"""Filters, order and pages of ``qrm``'s lists, and changes of what is there already."""

import asyncio
import json
import os
import pty
from pathlib import Path

import pytest
from cli_world import Cli

from appliance.cli import listing
from appliance.machine import State
from appliance.reconcile.wishes import MachineChange, NewDeployment
from tests.people import ADMIN

KERNEL = b"\0" * 0x202 + b"HdrS" + b"\0" * 100


def _names(answer: dict) -> list[str]:
    return [each["name"] for each in answer["items"]]


async def test_machines_are_filtered_sorted_and_cut(qrm: Cli) -> None:
    for number, state in enumerate((State.IDLE, State.IDLE, State.BROKEN), 1):
        await qrm.world.machine(number, state)
    await qrm.world.services.wishes.change_machine("m2", MachineChange(tags=["rack-3"], maintenance=True), ADMIN)
    listed = await qrm.run("machines", "--sort", "-name", "--limit", "2", "--json")
    assert _names(listed.json) == ["node-3", "node-2"]
    assert listed.json["total"] == 3
    assert "1 more are not shown" in (await qrm.run("machines", "--limit", "2")).err
    for words, found in (
        (("--state", "broken"), ["node-3"]),
        (("--tag", "rack-3"), ["node-2"]),
        (("--maintenance",), ["node-2"]),
        (("--in-use", "--state", "idle"), ["node-1"]),
        (("-q", "node-3"), ["node-3"]),
        (("--unassigned", "--firmware", "bios"), []),
        (("--limit", "0"), ["node-1", "node-2", "node-3"]),
    ):
        assert _names((await qrm.run("machines", "list", *words, "--json")).json) == found, words
    assert "No machine matches." in (await qrm.run("machines", "--assigned")).out
    assert "Invalid value" in (await qrm.run("machines", "--state", "sleeping", code=2)).err
    summary = (await qrm.run("machines", "summary", "--json")).json
    assert (summary["total"], summary["states"], summary["tags"]) == (3, {"idle": 2, "broken": 1}, {"rack-3": 1})
    assert "tag rack-3" in (await qrm.run("machines", "summary", "--state", "idle")).out


def test_all_pages_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 3)
    asked: list[dict[str, object]] = []

    class Pages:
        def get(self, path: str, limit: int, cursor: str = "0", **query: object) -> object:
            asked.append({"limit": limit, "cursor": cursor, **query})
            begin = int(cursor)
            end = min(begin + limit, 8)
            return {"items": list(range(begin, end)), "next": str(end) if end < 8 else None, "total": 8}

    assert listing.fetch(Pages(), "/x", 0, q="a", offline=False)["items"] == list(range(8))
    assert asked[1] == {"limit": 3, "cursor": "3", "q": "a", "offline": "false"}
    assert listing.fetch(Pages(), "/x", 4)["items"] == [0, 1, 2, 3]
    assert asked[-1]["limit"] == 1
    assert listing.fetch(Pages(), "/x", 4)["next"] == "4"


async def test_deployments_images_and_kernels_are_changed(qrm: Cli, tmp_path: Path) -> None:
    for name in ("demo", "other"):
        (tmp_path / f"{name}.raw").write_bytes(b"\0" * 4096)
        assert "uploading" in (await qrm.run("images", "add", str(tmp_path / f"{name}.raw"))).err
    key = tmp_path / "id.pub"
    key.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE somebody@desk\n")
    made = ("deployments", "create", "web-1", "--image", "demo", "--memory", "1024", "--tag", "rack-3")
    await qrm.run(*made, "--ssh-key", str(key), "--wipe-on-release")
    sizes = ("--memory", "1.5GiB", "--disk-size", "100")
    await qrm.run("deployments", "set", "web-1", *sizes)
    asked = (await qrm.run("deployments", "show", "web-1", "--json")).json["requirements"]
    assert (asked["memory_bytes"], asked["disk_bytes"]) == (3 << 29, 100 * 10**9)
    assert "1.5 GiB of memory, 100 GB of disk" in (await qrm.run("deployments", "show", "web-1")).out
    refused = (await qrm.run("deployments", "set", "web-1", "--disk-size", "5 parsecs", code=2)).err
    assert "is no size" in refused
    assert "100GB" in refused
    change = (
        "--disk-size",
        "any",
        "--image",
        "other",
        "--cpus",
        "2",
        "--memory",
        "any",
        "--tag",
        "fast",
        "--untag",
        "rack-3",
        "--no-ssh-keys",
    )
    assert "its disk is wiped (automatic)" in (await qrm.run("deployments", "show", "web-1")).out
    await qrm.run("deployments", "set", "web-1", *change, "--keep-on-release", "--wipe-method", "overwrite")
    shown = (await qrm.run("deployments", "show", "web-1", "--json")).json
    assert shown["image"]["name"] == "other"
    assert shown["requirements"] == {
        "cpus": 2, "memory_bytes": None, "disk_bytes": None, "firmware": None, "tags": ["fast"],
    }  # fmt: skip
    assert (shown["ssh_keys"], shown["wipe_on_release"], shown["wipe_method"]) == ([], False, "overwrite")
    assert "asks for    2 CPUs, tag fast" in (await qrm.run("deployments", "show", "web-1")).out
    assert "say what to change" in (await qrm.run("deployments", "set", "web-1", "--cpus", "2", code=2)).err
    assert "write a whole number" in (await qrm.run("deployments", "set", "web-1", "--cpus", "0", code=2)).err
    assert _names((await qrm.run("deployments", "--image", "demo", "--json")).json) == []
    assert _names((await qrm.run("images", "--unused", "--json")).json) == ["demo"]
    await qrm.run("images", "set", "demo", "--name", "base", "--description", "nothing in it")
    assert "nothing in it" in (await qrm.run("images", "show", "base")).out
    await qrm.run("images", "set", "base", code=2)
    (tmp_path / "vmlinuz").write_bytes(KERNEL)
    await qrm.run("kernels", "add", str(tmp_path / "vmlinuz"), "--name", "own")
    await qrm.run("kernels", "set", "own", "--cmdline", "quiet")
    assert "quiet" in (await qrm.run("kernels", "--added")).out
    assert "name-taken" in (await qrm.run("images", "set", "base", "--name", "other", code=4)).err


async def test_events_and_audit_by_kind_and_time(qrm: Cli) -> None:
    await qrm.world.machine()
    await qrm.run("machines", "set", "node-1", "--notes", "first")
    await qrm.run("machines", "set", "node-1", "--maintenance", "on")
    kinds = ("events", "--kind", "machine.changed", "-q", "maintenance")
    assert len((await qrm.run(*kinds, "--json")).json["items"]) == 1
    assert (await qrm.run("events", "--before", "2001-01-01", "--json")).json["items"] == []
    assert (
        len((await qrm.run("machines", "timeline", "node-1", "--kind", "machine.changed", "--json")).json["items"]) == 2
    )
    assert "write 90m" in (await qrm.run("events", "--since", "yesterday", code=2)).err
    oldest = (await qrm.run("audit", "--sort", "at", "--limit", "1", "--json")).json["items"][0]
    assert oldest["action"].startswith("user.log-in")
    assert [each["action"] for each in (await qrm.run("audit", "--action", "machine", "--json")).json["items"]] == [
        "machine.change", "machine.change",
    ]  # fmt: skip


async def test_settings_metrics_tokens_and_sightings_can_be_shown(qrm: Cli) -> None:
    settings = (await qrm.run("settings", "--json")).json
    assert settings["fingerprint"] == "ab" * 32
    assert "ab" * 32 in (await qrm.run("settings")).out
    assert "No figures yet" in (await qrm.run("metrics", "--last", "10m")).out
    assert set((await qrm.run("metrics", "--json")).json) == {"time", "dhcp", "boot", "dns", "cpu", "memory", "lag"}
    assert "a day is the most" in (await qrm.run("metrics", "--last", "3d", code=2)).err
    await qrm.run("tokens", "create", "nightly")
    assert "nightly" in (await qrm.run("tokens", "show", "nightly")).out
    assert "sighting-unknown" in (await qrm.run("network", "seen", "show", "52:54:00:00:00:99", code=4)).err


async def test_consequences_of_an_action_on_a_machine(qrm: Cli) -> None:
    await qrm.world.machine()
    assert "disk" in (await qrm.run("machines", "consequences", "node-1", "rescue")).out.lower()
    assert (await qrm.run("machines", "consequences", "node-1", "delete", "--json")).json["machine"] == "node-1"


async def test_what_changed_since_it_was_shown_is_not_deleted(qrm: Cli, tmp_path: Path) -> None:
    """Somebody renames the deployment between question and answer."""
    (tmp_path / "demo.raw").write_bytes(b"\0" * 4096)
    await qrm.run("images", "add", str(tmp_path / "demo.raw"))
    await qrm.world.services.wishes.create_deployment(NewDeployment("web-1", "demo"), ADMIN)
    master, slave = pty.openpty()
    process = await qrm.start("deployments", "delete", "web-1", stdin=slave, stdout=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async with asyncio.timeout(30):
        asked = b""
        while b"to go on" not in asked:
            asked += await process.stderr.read(200)
        await qrm.run("images", "set", "demo", "--description", "this does not count")
        await qrm.run("deployments", "set", "web-1", "--cpus", "3")
        os.write(master, b"web-1\n")
        out, err = await process.communicate()
    os.close(master)
    os.close(slave)
    assert process.returncode == 4, (out, err)
    assert b"changed-meanwhile" in err
    assert json.loads((await qrm.run("deployments", "--json")).out)["total"] == 1
