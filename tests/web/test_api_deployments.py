"""Deployments over the API: made, asked about, acted on."""

from typing import Any

import pytest
from web_world import DISK, World

from appliance.store import machines

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE somebody@desk"


async def _made(admin: World, **changed: Any) -> Any:
    await admin.image()
    await admin.machine()
    body = {"name": "web-1", "image": "demo", "ssh_keys": [KEY], **changed}
    return await admin.api("POST", "/deployments", 201, json=body)


async def test_create_and_show(admin: World) -> None:
    made = await _made(admin, requirements={"cpus": 2, "firmware": None}, machine="node-1")
    assert made["state"] == made["wanted"] == "released"
    assert made["hostname"] == "web-1.lab.test"
    assert made["image"] == {"id": 1, "name": "demo"}
    assert made["requirements"] == {
        "cpus": 2,
        "memory_bytes": None,
        "disk_bytes": None,
        "firmware": None,
        "tags": [],
    }
    assert made["wanted_machine"] == "m1"
    assert made["machine"] is None
    assert made["ssh_keys"] == [KEY]
    (item,) = (await admin.api("GET", "/deployments"))["items"]
    assert item == made
    assert await admin.api("GET", "/deployments/web-1") == await admin.api("GET", "/deployments/1") == made


async def test_the_image_may_be_named_by_number(admin: World) -> None:
    assert (await _made(admin, image=1))["image"]["name"] == "demo"


async def test_start_stays_a_wish(admin: World) -> None:
    await _made(admin)
    foreseen = await admin.api("GET", "/deployments/web-1/consequences?action=start")
    assert foreseen["confirm"] is None
    assert "overwritten" in foreseen["texts"][0]
    assert (foreseen["machine"], foreseen["disk"]["serial"], foreseen["destroys"]) == ("node-1", "D1", False)
    task = await admin.api("POST", "/deployments/web-1/start", 202)
    assert (task["kind"], task["status"], task["title"]) == ("deployment.start", "waiting", "Start web-1 on node-1")
    assert (task["machine"], task["deployment"]) == ({"id": "m1", "name": "node-1"}, {"id": 1, "name": "web-1"})
    started = await admin.api("GET", "/deployments/web-1")
    assert started["wanted"] == "running"
    assert started["machine"] == {"id": "m1", "name": "node-1", "address": None}
    assert started["disk"]["serial"] == "D1"
    machine = await admin.api("GET", "/machines/m1")
    assert machine["deployment"] == {"id": 1, "name": "web-1"}
    again = await admin.api("POST", "/deployments/web-1/start", 409)
    assert again["code"] == "action-refused"
    assert (await admin.api("DELETE", "/machines/m1", 409))["code"] == "machine-used"
    assert (await admin.api("DELETE", "/deployments/web-1", 409))["code"] == "deployment-used"


async def test_a_disk_with_content_has_to_be_confirmed(admin: World) -> None:
    await _made(admin, disk="D1")
    full = {**DISK, "content": {"empty": False, "fingerprint": "f1", "summary": "ext4 'precious'"}}
    await admin.services.store.write(lambda db: machines.put_inventory(db, machines.MachineId("m1"), {"disks": [full]}))
    foreseen = await admin.api("GET", "/deployments/web-1/consequences?action=start")
    assert "precious" in foreseen["texts"][0]
    assert foreseen["confirm"] == "D1"
    assert (foreseen["disk"]["summary"], foreseen["destroys"]) == ("ext4 'precious'", True)
    for body in (None, {}, {"confirm": "d1"}, {"confirm": "web-1"}):
        problem = (
            await admin.api("POST", "/deployments/web-1/start", 409, json=body)
            if body is not None
            else (await admin.api("POST", "/deployments/web-1/start", 409))
        )
        assert (problem["code"], problem["field"]) == ("confirmation-needed", "confirm")
    assert foreseen["content"] == "f1"
    unseen = await admin.api("POST", "/deployments/web-1/start", 409, json={"confirm": "D1"})
    assert (unseen["code"], unseen["field"]) == ("confirmation-needed", "content")
    other = await admin.api("POST", "/deployments/web-1/start", 409, json={"confirm": "D1", "content": "f0"})
    assert (other["code"], other["field"]) == ("content-changed", "content")
    await admin.api("POST", "/deployments/web-1/start", 202, json={"confirm": "D1", "content": foreseen["content"]})


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "Web 1"}, "name"),
        ({"name": None}, "name"),
        ({"image": []}, "image"),
        ({"delivery": "carrier-pigeon"}, "delivery"),
        ({"ssh_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}, "ssh_keys"),
        ({"ssh_keys": "one"}, "ssh_keys"),
        ({"ssh_keys": [1]}, "ssh_keys[0]"),
        ({"requirements": {"cpus": "4"}}, "requirements.cpus"),
        ({"requirements": {"cpus": 10**30}}, "requirements.cpus"),
        ({"requirements": {"gpus": 1}}, "requirements.gpus"),
        ({"requirements": {"firmware": "coreboot"}}, "requirements.firmware"),
        ({"wipe": True}, "wipe"),
    ],
)
async def test_refusals_name_the_field(admin: World, changed: dict[str, Any], field: str) -> None:
    await admin.image()
    problem = await admin.api("POST", "/deployments", 422, json={"name": "web-1", "image": "demo", **changed})
    assert problem["field"] == field
    assert (await admin.api("GET", "/deployments"))["items"] == []


async def test_what_is_not_there(admin: World) -> None:
    await admin.image()
    no_image = await admin.api("POST", "/deployments", 404, json={"name": "web-1", "image": "other"})
    assert (no_image["code"], no_image["field"]) == ("image-unknown", "image")
    no_machine = await admin.api("POST", "/deployments", 404, json={"name": "web-1", "image": "demo", "machine": "x"})
    assert no_machine["code"] == "machine-unknown"
    assert (await admin.api("GET", "/deployments/none", 404))["code"] == "deployment-unknown"
    assert (await admin.api("POST", "/deployments/none/start", 404))["code"] == "deployment-unknown"


async def test_unknown_actions(admin: World) -> None:
    await _made(admin)
    assert (await admin.api("POST", "/deployments/web-1/explode", 422))["code"] == "action-unknown"
    assert (await admin.api("GET", "/deployments/web-1/consequences?action=x", 422))["field"] == "action"
    assert (await admin.api("GET", "/deployments/web-1/consequences", 422))["code"] == "query-missing"


async def test_delete(admin: World) -> None:
    await _made(admin)
    await admin.api("DELETE", "/deployments/web-1", 204)
    await admin.api("GET", "/deployments/web-1", 404)
    (event, *_) = (await admin.api("GET", "/events?deployment=1"))["items"]
    assert event["text"] == "admin deleted web-1"
    assert (await admin.api("GET", "/events?deployment=web-1", 404))["code"] == "deployment-unknown"
