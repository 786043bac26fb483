"""Secrets are planted everywhere; then the whole bundle is searched for each of them."""

import io
import json
import sqlite3
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from paper_computer import computer, serving
from web_world import PASSWORD, World

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError
from appliance.events import Event
from appliance.machine import MachineId
from appliance.store import events
from appliance.store.documents import rows
from appliance.support.bundle import FILES, JOURNAL, Part
from appliance.web.health import Health
from appliance.web.support import Support

BMC = "sunflower-9"
"""The password of a power switch; it looks like any word."""
PLANTED = {
    "poll id": "c0ffee00c0ffee00c0ffee00c0ffee00",
    "boot token": "b007" * 16,
    "machine token": "3ac1" * 16,
    "api token": "qrm_" + "5ec2e7" * 8,
    "session": "5e55" * 16,
    "set-up code": "K7Q2-9XMA-4R8T-ZW3C",
    "private key": "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEH",
    "password hash": "c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
    "chap secret": "chapchap12",
    "user's password": "correct-horse-7",
    "password in a URL": "s3samestreet",
    "cookie": "cookiemonster",
}
LINES = (
    "GET /poll/{poll id} from 10.77.0.60",
    "kernel: Command line: qrm.server=http://10.77.0.1 qrm.token={boot token} qrm.nonce=1122334455667788",
    "Authorization: Bearer {machine token}",
    "made {api token} for ci",
    "log-in {session} ended",
    "open https://10.0.0.5:8443/setup?token={set-up code}",
    "-----BEGIN PRIVATE KEY-----\n{private key}\n-----END PRIVATE KEY-----",
    "hash $argon2id$v=19$m=65536,t=3,p=4${password hash}",
    "iscsi: chap_secret={chap secret}",
    "form: password={user's password}&again={user's password}",
    "fetching https://ada:{password in a URL}@mirror.lab.test/x",
    "Cookie: __Host-session={cookie}",
    f"ipmitool: {BMC} was refused by the controller",
)
NOISE = "\n".join(line.format(**PLANTED) if "{" in line else line for line in LINES)
ADA = Asker("ada", Role.ADMIN, "192.0.2.1", "session")


def opened(content: bytes) -> dict[str, str]:
    """The files of a bundle, by their names below its directory."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        found = {}
        for entry in tar.getmembers():
            file = tar.extractfile(entry)
            assert file is not None
            assert entry.mode == 0o600
            found[entry.name.partition("/")[2]] = file.read().decode()
        return found


async def plant(world: World) -> list[str]:
    """Put secrets wherever something may be written, and take those that the appliance made itself."""
    await world.machine(1)
    await world.api(
        "PUT", "/machines/node-1/power", json={"kind": "ipmi", "address": "192.0.2.10", "user": "root", "secret": BMC}
    )
    made = await world.api("POST", "/tokens", 201, json={"name": "ci", "scope": "viewer", "days": 1})
    await world.api("PATCH", "/machines/node-1", json={"notes": f"the password is {PLANTED['cookie']}"})
    body = {"name": "eva", "role": "viewer", "password": "a horse on a bicycle"}
    await world.api("POST", "/users", 201, json=body)

    def job(db: sqlite3.Connection) -> list[str]:
        for line in NOISE.split("\n\n"):
            events.add(db, Event("daemon.trouble", world.clock(), line, line, MachineId("m1"), detail={"said": line}))
        hashes = [str(row[0]) for row in rows(db, "SELECT password FROM users")]
        return hashes + [str(row[0]) for row in rows(db, "SELECT id FROM log_ins")]

    found = await world.services.store.write(job)
    world.services.config["site"] = {"note": NOISE, "domain": "lab.test"}
    return [*PLANTED.values(), *found, made["token"], world.headers["Authorization"].split()[1], PASSWORD, BMC]


def answers() -> dict[str, Any]:
    return {
        "journalctl": NOISE,
        "lsblk": json.dumps({"blockdevices": [{"name": "sda", "type": "disk", "size": 1 << 40, "model": BMC}]}),
        "systemctl": ApplianceError("program-failed", f"systemctl: {NOISE}"),
    }


async def test_no_secret_is_in_the_bundle(admin: World, tmp_path: Path) -> None:
    secrets = await plant(admin)
    on, _ = computer(tmp_path / "paper", answers())
    async with serving(tmp_path, on) as privileged:
        services = replace(admin.services, privileged=privileged, trouble=lambda: f"it says {NOISE}")
        content = await Support(services, Health(services, lambda: None)).bundle(ADA)
    found = opened(content)
    assert "node-1" in found["machines.json"], "it is of some use"
    assert "192.0.2.10" not in found["machines.json"], "nor does it tell where controllers are"
    assert "was refused by the controller" in found["events.jsonl"]
    assert "was refused by the controller" in found["journal/appliance.txt"]
    assert "lab.test" in found["configuration.json"]
    everything = "\n".join(found.values())
    for secret in secrets:
        assert secret not in everything, secret
        assert json.dumps(secret)[1:-1] not in everything, secret
    assert not [line for line in everything.splitlines() if "1122334455667788" in line]


async def test_only_what_is_listed_is_in_it(admin: World, tmp_path: Path) -> None:
    on, _ = computer(tmp_path / "paper", answers())
    async with serving(tmp_path, on) as privileged:
        services = replace(admin.services, privileged=privileged)
        found = opened(await Support(services, Health(services, lambda: None)).bundle(ADA))
    assert {name for name in found if not name.startswith(JOURNAL)} == set(FILES)
    assert all("/" not in name.removeprefix(JOURNAL) for name in found)
    with pytest.raises(ValueError, match="not in the list"):
        Part("store.db", "")


async def test_what_cannot_be_had_is_named_and_the_rest_comes(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise ApplianceError("program-missing", "the moon is not installed")

    monkeypatch.setattr(Support, "_metrics", broken)
    async with admin.client.post("/api/v1/appliance/support-bundle", headers=admin.headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "application/octet-stream"
        assert response.headers["Cache-Control"] == "no-store"
        found = opened(await response.read())
    assert "metrics.txt" not in found
    assert "metrics.txt: the moon is not installed" in found["problems.txt"]
    assert "journalctl" in found["problems.txt"], "this computer has no helper"
    assert json.loads(found["about.json"])["asked_by"] == "admin"


async def test_it_is_for_administrators(admin: World) -> None:
    await admin.api("POST", "/users", 201, json={"name": "eva", "role": "operator", "password": PASSWORD + "2"})
    session = await admin.api("POST", "/sessions", 201, json={"name": "eva", "password": PASSWORD + "2"})
    admin.client.session.cookie_jar.clear()
    admin.headers = {"Authorization": f"Bearer {session['token']}"}
    await admin.api("POST", "/appliance/support-bundle", 403)
