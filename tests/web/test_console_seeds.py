"""What cloud-init is given, in the console: two texts, and a form that makes one of them."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest
import yaml
from console_client import Visitor, said, visitor
from console_seed import KEY

from appliance.cloud_init import LONGEST
from appliance.reconcile.seeds import Seeds
from appliance.store import deployments, seeds
from appliance.store.sealing import Sealer

SECRET = "hunter2-secret"
USER_DATA = f"#cloud-config\npassword: {SECRET}\nwrite_files:\n  - path: /a\n    content: '</textarea><script>'\n"
NETWORK = "version: 2\nethernets: {lan: {match: {name: en*}, dhcp4: true}}\n"
FORM = {"name": "new-1", "image": "live-13", "delivery": "ram"}
EDIT = "/deployments/new-1/edit"


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


def typed(page: str, name: str) -> str:
    """What stands in a text area."""
    found = re.search(rf'<textarea[^>]* name="{name}"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL)
    assert found, name
    return unescape(found[1])


async def kept(fleet: Visitor) -> dict[str, str]:
    return await fleet.services.seeds.of("new-1")


async def test_it_is_made_shown_in_words_changed_and_taken_away(fleet: Visitor) -> None:
    sent = {"user_data": USER_DATA.replace("\n", "\r\n"), "network_config": NETWORK}
    await fleet.post("/deployments/new", data=FORM | sent)
    assert await kept(fleet) == {"user_data": USER_DATA, "network_config": NETWORK}
    page = await fleet.get("/deployments/new-1")
    assert "user data (cloud-config), a network configuration" in said(page)
    assert SECRET not in page + await fleet.get("/deployments/new-1/timeline") + await fleet.get("/deployments")
    page = await fleet.get(EDIT)
    assert (typed(page, "user_data"), typed(page, "network_config")) == (USER_DATA, NETWORK)
    await fleet.post(EDIT, data=FORM | {"user_data": "#!/bin/sh\nls\n", "network_config": ""})
    assert await kept(fleet) == {"user_data": "#!/bin/sh\nls\n"}
    await fleet.post(EDIT, data=FORM)  # a form that does not ask for it leaves it as it is
    assert await kept(fleet) == {"user_data": "#!/bin/sh\nls\n"}
    await fleet.post(EDIT, data=FORM | {"user_data": "", "network_config": ""})
    assert await kept(fleet) == {}


@pytest.mark.parametrize("where", ["/deployments/new", EDIT])
async def test_the_form_makes_a_text_that_is_shown_and_not_yet_kept(fleet: Visitor, where: str) -> None:
    if where == EDIT:
        await fleet.post("/deployments/new", data=FORM | {"user_data": USER_DATA})
    asked = {
        "seed_make": "yes", "seed_users": f"ada {KEY}\r\nbob", "seed_sudo": "yes", "seed_packages": "nginx, vim",
        "seed_timezone": "Europe/Berlin", "seed_commands": "ls -l\r\n", "seed_path_1": "/etc/motd",
        "seed_mode_1": "600", "seed_content_1": "  Hello\r\n", "user_data": "replaced", "network_config": NETWORK,
    }  # fmt: skip
    page = await fleet.post(where, 200, FORM | asked)
    text = typed(page, "user_data")
    found = yaml.safe_load(text)
    assert text.startswith("#cloud-config\n")
    assert [user if user == "default" else user["name"] for user in found["users"]] == ["default", "ada", "bob"]
    assert (found["packages"], found["timezone"], found["runcmd"]) == (["nginx", "vim"], "Europe/Berlin", ["ls -l"])
    assert found["write_files"] == [{"path": "/etc/motd", "permissions": "0600", "content": "  Hello\n"}]
    assert typed(page, "network_config") == NETWORK
    assert 'value="/etc/motd"' in page, "nothing that was typed is lost"
    if where == EDIT:
        assert await kept(fleet) == {"user_data": USER_DATA}
    else:
        assert all(each.name != "new-1" for each in await fleet.services.store.read(deployments.every))
    await fleet.post(where, data=FORM | {"user_data": text, "network_config": ""})
    assert await kept(fleet) == {"user_data": text}


async def test_what_is_wrong_stands_beside_its_field(fleet: Visitor) -> None:
    wrong = {"user_data": "password: x", "network_config": "version: 1"}
    page = await fleet.post("/deployments/new", 422, FORM | wrong)
    assert 'id="user_data-error"' in page
    assert 'id="network_config-error"' in page
    page = await fleet.post("/deployments/new", 422, FORM | {"seed_make": "yes", "seed_users": "Ada", "user_data": "x"})
    assert 'id="seed_users-error"' in page
    assert "<details open>" in page
    assert typed(page, "user_data") == "x"
    page = await fleet.post("/deployments/new", 422, FORM | {"seed_make": "yes"})
    assert "The form asks for nothing yet" in said(page)


async def test_a_text_as_long_as_may_be(fleet: Visitor) -> None:
    text = "#!/bin/sh\n#" + "<" * (LONGEST - 12) + "\n"
    await fleet.post("/deployments/new", data=FORM | {"user_data": text, "network_config": ""})
    assert await kept(fleet) == {"user_data": text}
    assert typed(await fleet.get(EDIT), "user_data") == text


async def test_no_link_fills_it_in_and_no_address_has_it(fleet: Visitor) -> None:
    """What a stranger's link says is not to run as root; and what is typed goes into no log of addresses."""
    filled = "image=live-13&user_data=%23!/bin/sh&network_config=x&seed_users=eve"
    page = await fleet.get(f"/deployments/new?{filled}")
    assert [typed(page, name) for name in ("user_data", "network_config", "seed_users")] == ["", "", ""]
    for part in (page, await fleet.get(f"/deployments/new/choices?{filled}")):
        unsent = re.search(r'hx-include="#new" hx-params="not ([^"]*)"', part)
        assert unsent, "it asks for what fits with all that was typed"
        assert {"user_data", "network_config", "seed_content_1", "seed_users"} <= set(unsent[1].split(","))
    assert 'formmethod="get"' not in page
    page = await fleet.post("/deployments/new", 200, FORM | {"show": "yes", "user_data": USER_DATA})
    assert typed(page, "user_data") == USER_DATA


async def test_one_that_cannot_be_read_is_said_to_be_so_and_written_anew(fleet: Visitor) -> None:
    await fleet.post("/deployments/new", data=FORM | {"user_data": USER_DATA})
    of = await fleet.services.store.read(lambda db: deployments.get(db, "new-1"))
    other = Seeds(fleet.services.store, Sealer(b"o" * 32)).sealed({"user_data": USER_DATA})["user_data"].content
    await fleet.services.store.write(lambda db: seeds.put(db, of.id, "user_data", other))
    page = await fleet.get(EDIT, 422)
    assert "cannot be read" in said(page)
    await fleet.post(EDIT, data=FORM | {"user_data": "#!/bin/sh\n", "network_config": ""})
    assert await kept(fleet) == {"user_data": "#!/bin/sh\n"}
