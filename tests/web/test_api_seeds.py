"""NoCloud seeds through the API: kept, changed in part, read by those who may change them, and by nobody else."""

from web_world import World

from appliance.cloud_init import LONGEST

SECRET = "hunter2-secret"
USER_DATA = f"#cloud-config\npassword: {SECRET}\n"
NETWORK = "version: 2\nethernets: {lan: {match: {name: en*}, dhcp4: true}}\n"


async def made(admin: World, **given: str) -> dict[str, object]:
    await admin.image()
    body = {"name": "web-1", "image": "demo", **given}
    found: dict[str, object] = await admin.api("POST", "/deployments", 201, json=body)
    return found


async def seed(admin: World) -> tuple[str, str]:
    found = await admin.api("GET", "/deployments/web-1/seed")
    return found["user_data"], found["network_config"]


async def test_it_is_made_and_shown_in_words_only(admin: World) -> None:
    found = await made(admin, user_data=USER_DATA, network_config=NETWORK)
    assert found["seed"] == {"user_data": "cloud-config", "network_config": True}
    assert await seed(admin) == (USER_DATA, NETWORK)
    for path in ("/deployments", "/deployments/web-1", "/events", "/audit"):
        assert SECRET not in str(await admin.api("GET", path)), path


async def test_without_one(admin: World) -> None:
    assert (await made(admin))["seed"] is None
    assert await seed(admin) == ("", "")


async def test_it_is_changed_in_part_and_taken_away(admin: World) -> None:
    await made(admin, user_data=USER_DATA)
    changed = await admin.api("PATCH", "/deployments/web-1", json={"network_config": NETWORK})
    assert changed["seed"] == {"user_data": "cloud-config", "network_config": True}
    changed = await admin.api("PATCH", "/deployments/web-1", json={"user_data": "", "ssh_keys": []})
    assert changed["seed"] == {"user_data": "", "network_config": True}
    changed = await admin.api("PATCH", "/deployments/web-1", json={"network_config": ""})
    assert (changed["seed"], await seed(admin)) == (None, ("", ""))


async def test_another_text_is_another_version(admin: World) -> None:
    await made(admin, user_data=USER_DATA)
    async with admin.client.get("/api/v1/deployments/web-1", headers=admin.headers) as response:
        before = response.headers["ETag"]
    await admin.api("PATCH", "/deployments/web-1", json={"user_data": USER_DATA.replace("2", "3")})
    stale = {"If-Match": before}
    await admin.api("PATCH", "/deployments/web-1", 412, json={"user_data": USER_DATA}, headers=stale)


async def test_what_cloud_init_would_not_take_is_refused_with_its_field(admin: World) -> None:
    await admin.image()
    for field, text, code in (
        ("user_data", "password: x\n", "user-data-invalid"),
        ("user_data", "#cloud-config\n\ta\n", "user-data-invalid"),
        ("user_data", "#!/bin/sh\n" + "é" * (LONGEST // 2), "user-data-long"),
        ("user_data", "x" * (LONGEST + 1), "body-field"),
        ("network_config", "version: 1\nconfig: []\n", "network-config-invalid"),
    ):
        problem = await admin.api("POST", "/deployments", 422, json={"name": "web-1", "image": "demo", field: text})
        assert (problem["code"], problem["field"]) == (code, field)
    await admin.api("GET", "/deployments/web-1", 404)


async def test_one_that_is_as_long_as_may_be(admin: World) -> None:
    begin = "#!/bin/sh\n#"
    text = begin + "x" * (LONGEST - len(begin) - 1) + "\n"
    await made(admin, user_data=text)
    assert await seed(admin) == (text, "")
