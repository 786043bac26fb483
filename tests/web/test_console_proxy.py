"""Consoles through the daemon: tickets, conversations, and how they end."""

import asyncio
import json
import struct

import pytest
from aiohttp import WSMsgType
from consoles_world import DB, WEB, ended, open_consoles, refused, said

from appliance.hypervisor.consoles import ConsoleKind
from appliance.vm import VmState
from appliance.web import console_serial
from appliance.web.console_tickets import SECONDS

PROMPT = b"web1 login: "


@pytest.fixture
async def consoles(tmp_path):
    async with open_consoles(tmp_path) as made:
        yield made


async def seen(consoles, number):
    """So many words about the company on a line."""
    found = []
    while len(found) < number:
        message = await consoles.receive(timeout=10)
        if message.type is WSMsgType.TEXT and json.loads(message.data)["kind"] == "viewers":
            found.append(json.loads(message.data))
    return found


async def test_a_serial_line_is_typed_on(consoles):
    socket = await consoles.open()
    assert socket.protocol == "console.qrm", "the ticket is not said again"
    assert PROMPT in await said(socket, PROMPT)
    await socket.send_bytes(b"eva\r")
    assert b"no user is called eva" in await said(socket, b"called eva")
    await socket.close()


async def test_a_screen_speaks_rfb(consoles):
    socket = await consoles.open("screen")
    await said(socket, b"RFB 003.008\n")
    await socket.send_bytes(b"RFB 003.008\n")
    await said(socket, b"\x01\x01")
    await socket.send_bytes(b"\x01")
    await said(socket, bytes(4))
    await socket.send_bytes(b"\x01")
    await said(socket, b"web1")
    await socket.send_bytes(struct.pack(">BBHHHH", 3, 0, 0, 0, 320, 200))
    heard = 0
    while heard < 16 + 4 * 320 * 200:
        heard += len((await socket.receive(timeout=10)).data)
    await socket.close()


async def test_a_ticket_is_good_once(consoles):
    given = await consoles.ticket()
    socket = await consoles.connect(given)
    assert await refused(consoles.connect(given)) == 403
    await socket.close()


async def test_a_ticket_is_good_for_seconds(consoles):
    given = await consoles.ticket()
    consoles.world.clock.now += SECONDS
    assert await refused(consoles.connect(given)) == 403


async def test_a_ticket_is_for_one_console_of_one_vm(consoles):
    given = await consoles.ticket()
    for other in (given["path"].replace("serial", "screen"), given["path"].replace(WEB.id, DB.id)):
        given = await consoles.ticket()
        assert await refused(consoles.connect(given, path=other)) == 403
        assert await refused(consoles.connect(given)) == 403, "it was shown, and is worthless"
    assert consoles.opened == []


async def test_a_ticket_is_one_users_log_in(consoles):
    world = consoles.world
    made = await world.api(
        "POST", "/users", 201, json={"name": "eva", "password": "correct horse battery", "role": "operator"}
    )
    assert made["name"] == "eva"
    log_in = {"name": "eva", "password": "correct horse battery"}
    eva = (await world.api("POST", "/sessions", 201, json=log_in, headers={"Authorization": ""}))["token"]
    given = await consoles.ticket()
    assert await refused(consoles.connect(given, {"Authorization": f"Bearer {eva}"})) == 403
    given = await consoles.ticket()
    assert await refused(consoles.connect(given, {})) == 401, "it takes the place of no log-in"


async def test_viewers_get_no_ticket(consoles):
    world = consoles.world
    await world.api("POST", "/users", 201, json={"name": "noc", "password": "correct horse battery", "role": "viewer"})
    log_in = {"name": "noc", "password": "correct horse battery"}
    noc = (await world.api("POST", "/sessions", 201, json=log_in, headers={"Authorization": ""}))["token"]
    await consoles.ticket(status=403, headers={"Authorization": f"Bearer {noc}"})


async def test_no_ticket_no_console(consoles):
    given = await consoles.ticket()
    for protocols in ([], ["console.qrm"], ["console.qrm", "ticket."], ["console.qrm", "ticket." + "0" * 64]):
        assert await refused(consoles.connect({**given, "protocols": protocols})) == 403
    assert await refused(consoles.connect(given, path=given["path"].replace("serial", "sound"))) == 404


async def test_other_sites_open_none(consoles):
    given = await consoles.ticket()
    headers = {**consoles.world.headers, "Origin": "https://evil.test"}
    assert await refused(consoles.connect(given, headers)) == 403


async def test_a_console_ends_with_its_log_in(consoles):
    sockets = [await consoles.open(), await consoles.open("screen")]
    await consoles.world.api("DELETE", "/sessions/current", 204)
    for socket in sockets:
        assert await ended(socket) == (1008, "the log-in has ended")


async def test_a_ticket_is_worthless_after_the_log_in_has_ended(consoles):
    given = await consoles.ticket()
    await consoles.world.api("DELETE", "/sessions/current", 204)
    assert await refused(consoles.connect(given)) == 401


async def test_a_console_ends_when_its_vm_is_off(consoles):
    sockets = [await consoles.open(), await consoles.open("screen")]
    await said(sockets[0], PROMPT)
    await said(sockets[1], b"RFB")
    consoles.memory.put(WEB.id, VmState.OFF)
    for socket in sockets:
        code, words = await ended(socket)
        assert (code, "off" in words) == (4000, True)


async def test_what_is_off_is_said_before_anything_is_opened(consoles):
    consoles.memory.put(WEB.id, VmState.OFF)
    problem = await consoles.ticket(status=409)
    assert problem["code"] == "vm-state"
    assert "start it first" in problem["hint"]
    assert (await consoles.ticket(vm="nobody", status=404))["code"] == "vm-unknown"
    assert (await consoles.ticket(kind="sound", status=422))["field"] == "kind"


async def test_what_went_off_meanwhile_is_said_in_the_end(consoles):
    given = await consoles.ticket()
    consoles.memory.put(WEB.id, VmState.OFF)
    socket = await consoles.connect(given)
    code, words = await ended(socket)
    assert (code, "web1" in words) == (4001, True)


async def test_who_comes_later_sees_what_was_said_and_all_see_the_same(consoles):
    first = await consoles.open()
    await said(first, PROMPT)
    await first.send_bytes(b"eva\r")
    await said(first, b"eva\r\n\xff"[:5])
    second = await consoles.open()
    past = json.loads((await second.receive(timeout=10)).data)
    assert past["kind"] == "past"
    assert b"eva" in await said(second, b"called eva")
    await second.send_bytes(b"x")
    await said(first, b"x")
    assert consoles.opened == [("web1", "serial")], "one reader"
    await first.close()
    await second.close()


async def test_one_viewer_answers_for_all(consoles):
    first = await consoles.open()
    assert await seen(first, 1) == [{"kind": "viewers", "count": 1, "answers": True}]
    second = await consoles.open()
    assert (await seen(second, 1))[0]["answers"] is False
    assert (await seen(first, 1))[0]["count"] == 2
    await first.close()
    assert await seen(second, 1) == [{"kind": "viewers", "count": 1, "answers": True}]
    await second.close()


async def test_a_line_is_let_go_some_time_after_the_last_viewer(consoles, monkeypatch):
    monkeypatch.setattr(console_serial, "LINGER", 0.0)
    socket = await consoles.open()
    await said(socket, PROMPT)
    await socket.close()
    async with asyncio.timeout(10):
        while len(consoles.opened) < 2:
            socket = await consoles.open()
            await socket.close()


async def test_words_are_not_for_a_console(consoles):
    socket = await consoles.open()
    await socket.send_str("hello")
    assert (await ended(socket))[0] == 1003


async def test_a_console_that_was_asked_for_is_written_down(consoles):
    await consoles.ticket()
    found = await consoles.world.api("GET", "/audit?action=vm.console")
    assert [(each["who"], each["name"]) for each in found["items"]] == [("admin", "web1")]


async def test_all_are_told_when_the_appliance_stops(consoles):
    socket = await consoles.open()
    app = consoles.world.client.server.app
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(ended(socket))
        for handler in app.on_shutdown:
            await handler(app)
    assert listening.result() == (1001, "the appliance stops")


def test_every_console_has_its_way():
    assert [*ConsoleKind] == ["screen", "serial"]
