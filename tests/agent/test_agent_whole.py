"""The whole agent, as a process, against an appliance that follows a script; disks are files."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from agent_bench import FSUUID, MIB, Bench
from fake_appliance import FakeAppliance

from appliance.agent.installed.root import Root
from appliance.agent.installed.system import find_system, opened

pytestmark = pytest.mark.root
SERIAL = {"serial": "SERIAL0", "wwn": ""}


@contextmanager
def running(bench: Bench, command_line: str) -> Iterator[subprocess.Popen[bytes]]:
    process = bench.start_agent(command_line)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


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
    with running(bench, appliance.command_line()) as agent:
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
