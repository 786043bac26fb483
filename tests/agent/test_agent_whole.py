"""The whole agent, as a process, against an appliance that follows a script; disks are files."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from agent_bench import FSUUID, MIB, Bench
from fake_appliance import Call, FakeAppliance

from appliance.agent.installed.root import Root
from appliance.agent.installed.system import find_system, opened

pytestmark = pytest.mark.root
SERIAL = {"serial": "SERIAL0", "wwn": ""}


def steps(appliance: FakeAppliance, image: Path, fingerprint: str, attempt: str = "a1") -> list[dict[str, object]]:
    stored = subprocess.run(["zstd", "-q", "-c", str(image)], capture_output=True, check=True).stdout
    size = image.stat().st_size
    source = {**appliance.add_image("demo", stored), "format": "raw.zst", "size": size}
    resident = {
        "server": appliance.server,
        "control": appliance.control,
        "ca_pem": appliance.certificates.ca_pem,
        "token": "resident-token",
        "machine": "m1",
        "deployment": "web-1",
    }
    params: dict[str, dict[str, object]] = {
        "prepare-disk": {"content": fingerprint, "image": {"size": size, "sector_size": 512}},
        "write-image": {"image": source},
        "grow": {},
        "configure": {
            "hostname": "web-1",
            "machine_id": "0" * 31 + "7",
            "ssh_keys": ["ssh-ed25519 AAAA user@desk"],
            "network": [{"mac": "52:54:00:00:00:01", "method": "dhcp"}],
            "resident": resident,
            "firmware": "bios",
        },
        "hand-over": {"method": "kexec", "append": "console=ttyS0"},
    }
    disk = {**SERIAL, "size": 48 * MIB}
    return [
        {"attempt": attempt, "kind": "deploy", "step": step, "params": {"disk": disk, **rest}, "display": "deploying"}
        for step, rest in params.items()
    ]


def inventory_of(appliance: FakeAppliance) -> dict[str, object]:
    appliance.wait_for(lambda: "POST /control/v1/inventory" in appliance.paths())
    return next(call.body for call in appliance.calls if call.path.endswith("/inventory"))


def test_from_boot_to_kexec(appliance: FakeAppliance, bench: Bench, image: Path) -> None:
    disk = bench.add_disk(content=b"old data of somebody " * 1000)
    with bench.running(appliance.command_line()) as agent:
        inventory = inventory_of(appliance)
        content = inventory["disks"][0]["content"]
        assert not content["empty"]
        assert content["summary"] == "unknown data"
        appliance.work = steps(appliance, image, content["fingerprint"])
        results = {name: appliance.report_of(name) for name in ("prepare-disk", "write-image", "grow", "configure")}
        assert [said["status"] for said in results.values()] == ["done"] * 4, results
        handed = appliance.report_of("hand-over")
        assert agent.wait(30) == 0
    assert results["prepare-disk"]["result"]["disk"]["content"]["empty"]
    assert results["write-image"]["result"] == {"bytes": image.stat().st_size}
    assert results["grow"]["result"]["grown"] == 2
    assert results["grow"]["result"]["size"] > 40 * MIB
    configured = results["configure"]["result"]
    assert configured["root_fsuuid"] == FSUUID
    assert configured["kernel"]["linux"] == "/boot/vmlinuz-6.12"
    assert configured["esp_partuuid"]
    assert handed["result"] == {"method": "kexec"}
    loaded, left = bench.actions[-2:]
    assert loaded["linux"] == hashlib.sha256(b"a kernel").hexdigest()
    assert loaded["initrd"] == hashlib.sha256(b"an initrd").hexdigest()
    assert loaded["cmdline"] == f"root=UUID={FSUUID} ro quiet console=ttyS0 panic=30"
    assert left == {"action": "kexec"}
    assert disk.stat().st_size == 48 * MIB
    _check_system(bench, appliance, configured["ssh_host_keys"])


def _check_system(bench: Bench, appliance: FakeAppliance, host_keys: list[str]) -> None:
    disk = bench.computer.disks()[0]
    with opened(disk, find_system(disk).volume) as root:
        assert root.text("/etc/hostname") == "web-1\n"
        assert root.text("/etc/hosts") == "127.0.0.1 localhost\n127.0.1.1 web-1\n"
        assert root.text("/etc/machine-id") == "0" * 31 + "7\n"
        assert root.text("/root/.ssh/authorized_keys") == "ssh-ed25519 AAAA user@desk\n"
        assert "MACAddress=52:54:00:00:00:01" in root.text("/etc/systemd/network/10-qrm-525400000001.network")
        assert root.names("/etc/ssh") == [
            "ssh_host_ecdsa_key",
            "ssh_host_ecdsa_key.pub",
            "ssh_host_ed25519_key",
            "ssh_host_ed25519_key.pub",
        ]
        assert root.text("/etc/ssh/ssh_host_ed25519_key.pub").strip() == host_keys[0]
        _check_resident(root, appliance)


def _check_resident(root: Root, appliance: FakeAppliance) -> None:
    settings = json.loads(root.text("/etc/qrm/resident.json"))
    assert settings["token"] == "resident-token"
    assert (root.point / "etc/qrm/resident.json").stat().st_mode & 0o777 == 0o600
    assert root.text("/etc/qrm/ca.pem") == appliance.certificates.ca_pem
    assert {"__main__.py", "main.py"} <= set(root.names("/usr/lib/qrm/resident"))
    assert "ExecStart=" in root.text("/etc/systemd/system/multi-user.target.wants/qrm-resident.service")


def test_done_steps_are_told_again_and_not_done_again(appliance: FakeAppliance, bench: Bench, image: Path) -> None:
    bench.add_disk()
    with bench.running(appliance.command_line()):
        content = inventory_of(appliance)["disks"][0]["content"]
        first, *_ = steps(appliance, image, content["fingerprint"])
        appliance.work = [first]
        done = appliance.report_of("prepare-disk")
    disk = bench.directory / "disk0.img"
    with disk.open("r+b") as file:
        file.write(b"what somebody wrote since then")
    appliance.reports.clear()
    appliance.work = [first]
    with bench.running(appliance.command_line()):  # respawned: same boot, same directory
        assert appliance.report_of("prepare-disk")["result"] == done["result"]
    assert appliance.paths().count("POST /control/v1/redeem") == 1
    assert disk.read_bytes().startswith(b"what somebody wrote")


def test_a_power_cut_while_writing_is_continued_by_the_next_boot(
    appliance: FakeAppliance, bench: Bench, image: Path
) -> None:
    disk = bench.add_disk(content=b"old data " * 1000)
    with bench.running(appliance.command_line()):
        content = inventory_of(appliance)["disks"][0]["content"]
        script = steps(appliance, image, content["fingerprint"])
        appliance.work = script[:1]
        appliance.report_of("prepare-disk")
        appliance.break_after = [3000] * 100  # so slow that it is still at it
        appliance.work = script[1:2]
        appliance.wait_for(lambda: any(call.path.startswith("/images") for call in appliance.calls))
    assert not any(disk.read_bytes()[510:512]), "a half-written disk must not look bootable"
    shutil.rmtree(bench.directory / "run")
    appliance.break_after = []
    appliance.reports.clear()
    appliance.work = script  # from the start: the appliance may not know how far it came
    with bench.running(appliance.command_line(nonce="nonce-2")) as agent:
        assert appliance.report_of("hand-over")["status"] == "done", appliance.reports
        assert agent.wait(30) == 0


def test_reboot_when_kexec_is_not_possible(appliance: FakeAppliance, bench: Bench, image: Path) -> None:
    bench.add_disk()
    bench.settings["kexec"] = False
    with bench.running(appliance.command_line()) as agent:
        content = inventory_of(appliance)["disks"][0]["content"]
        appliance.work = steps(appliance, image, content["fingerprint"])
        handed = appliance.report_of("hand-over")
        assert agent.wait(30) == 0
    assert handed["result"]["method"] == "reboot"
    assert "this kernel cannot" in handed["result"]["reason"]
    assert bench.actions[-1] == {"action": "reboot"}


def test_no_kexec_for_an_attempt_that_is_over(appliance: FakeAppliance, bench: Bench, image: Path) -> None:
    bench.add_disk()
    with bench.running(appliance.command_line()):
        content = inventory_of(appliance)["disks"][0]["content"]
        script = steps(appliance, image, content["fingerprint"])
        appliance.work = script[:-1]
        appliance.report_of("configure")

        def refuse_done(call: Call) -> tuple[int, object]:
            if call.body["status"] == "running":
                return 200, {"continue": True}
            appliance.work.clear()
            return 409, {"code": "stale-step", "message": "over", "hint": ""}

        appliance.answers["POST", "/control/v1/report"] = refuse_done
        appliance.work = script[-1:]
        appliance.wait_for(lambda: not appliance.work)
        seen = len(appliance.calls)
        appliance.wait_for(lambda: len(appliance.calls) > seen)  # it goes on asking for work
    assert bench.actions[-1] == {"action": "unload-kernel"}
