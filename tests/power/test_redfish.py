"""Redfish as vendors ship it: what each oddity costs, and that none of them costs a secret or the loop."""

import base64
import json
from dataclasses import replace

import aiohttp
import controllers
import pytest
from aiohttp import web
from odd_controller import RESET, SYSTEM, for_ever, odd_controller, without_end

from appliance.power.certificate import presented
from appliance.power.redfish import client
from appliance.power.redfish.driver import Redfish
from appliance.power_switch import PowerError, PowerState

ROOT, SYSTEMS = "/redfish/v1/", "/redfish/v1/Systems"


async def no_pause(seconds):
    """Nothing to wait for."""


@pytest.fixture
async def odd(tmp_path):
    async with odd_controller(tmp_path) as (controller, settings):
        controller.settings = settings
        yield controller


def switch(odd, secret=controllers.PASSWORD, **changed):
    return Redfish(replace(odd.settings, **changed), secret, no_pause)


async def refusal(call):
    with pytest.raises(PowerError) as caught:
        await call
    assert caught.value.hint
    assert caught.value.message.isprintable()
    assert controllers.PASSWORD not in f"{caught.value!r} {caught.value.hint}"
    return caught.value


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("On", PowerState.ON),
        ("Off", PowerState.OFF),
        ("PoweringOn", PowerState.ON),
        ("PoweringOff", PowerState.ON),
        ("Paused", PowerState.ON),
        (None, PowerState.UNKNOWN),
        ("off", PowerState.UNKNOWN),
        (["Off"], PowerState.UNKNOWN),
    ],
)
async def test_only_off_is_off(odd, said, state):
    odd.state = said
    assert await switch(odd).observe() is state


# -- orders


@pytest.mark.parametrize(
    ("allowed", "call", "before", "order"),
    [
        (["On", "ForceOff"], "on", "Off", "On"),
        (["ForceOn", "ForceOff"], "on", "Off", "ForceOn"),
        (["PushPowerButton", "ForceOff"], "on", "Off", "PushPowerButton"),
        (None, "on", "Off", "On"),
        ([], "on", "Off", "On"),
        (["On", "ForceOff", "GracefulShutdown"], "off", "On", "ForceOff"),
        (None, "off", "On", "ForceOff"),
        (["ForceRestart", "PowerCycle"], "cycle", "On", "PowerCycle"),
        (["ForceRestart", "GracefulRestart"], "cycle", "On", "ForceRestart"),
        (["On", "ForceRestart"], "cycle", "Off", "On"),
        (["On", "ForceRestart"], "cycle", "PoweringOn", "ForceRestart"),
    ],
)
async def test_the_best_order_that_is_possible(odd, allowed, call, before, order):
    odd.allowed, odd.state = allowed, before
    await getattr(switch(odd), call)()
    assert odd.orders() == [{"ResetType": order}]


async def test_no_button_is_pressed_on_what_is_on(odd):
    """The same press would switch it off."""
    odd.allowed, odd.state = ["PushPowerButton", "ForceOff"], "On"
    assert (await refusal(switch(odd).on())).code == "power-unsupported"
    assert odd.orders() == []


async def test_no_graceful_order_stands_in_for_off(odd):
    odd.allowed, odd.state = ["On", "GracefulShutdown", "PushPowerButton"], "On"
    assert (await refusal(switch(odd).off())).code == "power-unsupported"
    assert odd.orders() == []


async def test_possible_orders_in_a_document_of_their_own(odd):
    odd.allowed = None
    action = {"target": RESET, "@Redfish.ActionInfo": "/redfish/v1/info"}
    odd.more = {"Actions": {"#ComputerSystem.Reset": action}}
    odd.documents["/redfish/v1/info"] = {"Parameters": [{"Name": "ResetType", "AllowableValues": ["ForceOn"]}]}
    await switch(odd).on()
    assert odd.orders() == [{"ResetType": "ForceOn"}]


NO = (409, {"error": {"@Message.ExtendedInfo": [{"Message": "It is so already."}]}}, {})


async def test_an_order_that_is_refused_because_it_is_so_already(odd):
    odd.reply("POST", RESET, NO)
    await switch(odd).off()
    odd.state = "On"
    odd.reply("POST", RESET, NO)
    found = await refusal(switch(odd).off())
    assert found.code == "power-failed"
    assert "It is so already." in found.message


async def test_a_task_is_waited_for(odd):
    odd.reply("POST", RESET, (202, {}, {"Location": "https://elsewhere.example/redfish/v1/TaskMonitors/1"}))
    odd.reply(
        "GET", "/redfish/v1/TaskMonitors/1", (202, {"TaskState": "Running"}, {}), (200, {"TaskState": "Completed"}, {})
    )
    await switch(odd).on()
    assert odd.replies[("GET", "/redfish/v1/TaskMonitors/1")] == []


@pytest.mark.parametrize("state", ["Exception", "Killed", "Cancelled"])
async def test_a_task_that_fails(odd, state):
    odd.reply("POST", RESET, (202, {}, {"Location": "/redfish/v1/TaskMonitors/1"}))
    odd.reply("GET", "/redfish/v1/TaskMonitors/1", (200, {"TaskState": state}, {}))
    odd.state = "Off"
    assert (await refusal(switch(odd).on())).code == "power-failed"


async def test_a_task_without_end_and_one_that_is_forgotten(odd):
    odd.reply("POST", RESET, *[(202, {}, {"Location": "/redfish/v1/TaskMonitors/1"})] * 2)
    odd.reply("GET", "/redfish/v1/TaskMonitors/1", *[(202, {"TaskState": "Running"}, {})] * 20)
    await switch(odd).on()
    await switch(odd).on()
    assert odd.orders() == [{"ResetType": "On"}] * 2


# -- from the network, once


@pytest.mark.parametrize(
    ("boot", "uefi", "sent"),
    [
        ({"BootSourceOverrideMode": "Legacy"}, True, {"BootSourceOverrideMode": "UEFI"}),
        ({"BootSourceOverrideMode": "UEFI"}, False, {"BootSourceOverrideMode": "Legacy"}),
        ({}, True, {}),
        (
            {"BootSourceOverrideTarget@Redfish.AllowableValues": ["UefiHttp", "Hdd"]},
            True,
            {"BootSourceOverrideTarget": "UefiHttp"},
        ),
    ],
)
async def test_the_next_start_from_the_network(odd, boot, uefi, sent):
    odd.boot = boot
    odd.reply("PATCH", SYSTEM, (200, {}, {}))
    await switch(odd).boot_network_once(uefi)
    once = {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"}
    assert odd.orders("PATCH") == [{"Boot": {**once, **sent}}]


async def test_a_system_that_cannot_boot_from_the_network(odd):
    odd.boot = {"BootSourceOverrideTarget@Redfish.AllowableValues": ["Hdd", "UefiHttp"]}
    assert (await refusal(switch(odd).boot_network_once(False))).code == "power-unsupported"


@pytest.mark.parametrize(
    ("allowed", "targets", "uefi", "network", "code"),
    [
        (["On", "ForceOff"], ["Hdd", "Pxe"], False, True, None),
        (["On", "ForceOff"], ["Hdd", "UefiHttp"], True, True, None),
        (["On", "ForceOff"], ["Hdd", "UefiHttp"], False, True, "power-unsupported"),
        (["On", "ForceOff"], ["Hdd"], True, True, "power-unsupported"),
        (["On", "ForceOff"], ["Hdd"], True, False, None),
        (["ForceOff", "ForceRestart"], ["Pxe"], True, True, None),  # what can be done now; on comes after off
        (None, None, True, True, None),
    ],
)
async def test_what_cannot_start_again_is_known_before_it_is_off(odd, allowed, targets, uefi, network, code):
    odd.state, odd.allowed = "On", allowed
    odd.boot = {} if targets is None else {"BootSourceOverrideTarget@Redfish.AllowableValues": targets}
    call = switch(odd).check_start(network, uefi)
    if code:
        assert (await refusal(call)).code == code
    else:
        await call
    assert {method for method, *_ in odd.asked} <= {"GET"}, "nothing is changed"


async def test_a_mode_that_cannot_be_set_is_left_out_only_where_it_is_right_already(odd):
    odd.boot = {"BootSourceOverrideMode": "UEFI"}
    odd.reply("PATCH", SYSTEM, NO, (204, b"", {}))
    await switch(odd).boot_network_once(True)
    assert "BootSourceOverrideMode" not in odd.orders("PATCH")[-1]["Boot"]
    odd.reply("PATCH", SYSTEM, NO)
    assert (await refusal(switch(odd).boot_network_once(False))).code == "power-failed"


async def test_versions_in_every_spelling(odd):
    """412: weak versions that are compared as strong ones, and controllers that compare nothing rightly."""
    odd.headers = {"ETag": 'W/"7"'}
    odd.reply("PATCH", SYSTEM, *[(412, {}, {})] * 3, (204, b"", {}))
    await switch(odd).boot_network_once(True)
    matched = [headers.get("If-Match") for method, _, _, headers in odd.asked if method == "PATCH"]
    assert matched == ['W/"7"', '"7"', "*", None]


async def test_a_version_that_is_wanted_and_was_never_told(odd):
    odd.reply("PATCH", SYSTEM, (428, {}, {}), (204, b"", {}))
    await switch(odd).boot_network_once(True)
    assert odd.asked[-1][3]["If-Match"] == "*"


async def test_a_document_of_its_own_for_changes(odd):
    odd.more = {"@Redfish.Settings": {"SettingsObject": {"@odata.id": f"{SYSTEM}/Settings"}}}
    odd.documents[f"{SYSTEM}/Settings"] = {"@odata.etag": '"9"'}
    odd.reply("PATCH", SYSTEM, (405, {}, {}))
    odd.reply("PATCH", f"{SYSTEM}/Settings", (200, {}, {}))
    await switch(odd).boot_network_once(True)
    assert odd.asked[-1][1] == f"{SYSTEM}/Settings"
    assert odd.asked[-1][3]["If-Match"] == '"9"'


# -- which system


async def test_one_of_several_systems(odd):
    odd.documents[SYSTEMS] = {"Members": [{"@odata.id": f"{SYSTEMS}/0"}, {"@odata.id": SYSTEM}]}
    odd.documents[f"{SYSTEMS}/0"] = {"Name": "other", "PowerState": "On"}
    assert await switch(odd, system="1").observe() is PowerState.OFF
    assert await switch(odd, system="other").observe() is PowerState.ON
    for system in ("", "2"):
        found = await refusal(switch(odd, system=system).observe())
        assert (found.code, found.field) == ("power-failed", "system")


# -- who we are


async def test_a_wrong_password_is_tried_once(odd):
    """Controllers lock accounts after a few tries."""
    assert (await refusal(switch(odd, "wrong").observe())).code == "power-refused"
    assert [path for _, path, _, _ in odd.asked] == [ROOT, SYSTEMS]


async def test_a_controller_that_wants_a_session_gets_one_and_its_end(odd):
    odd.basic = False
    assert await switch(odd).observe() is PowerState.OFF
    assert (odd.logged_in, odd.logged_out) == (1, 1)
    assert (await refusal(switch(odd, "wrong").observe())).code == "power-refused"
    assert odd.logged_in == 1


async def test_a_session_ends_when_the_order_fails_too(odd):
    odd.basic = False
    odd.state = "On"
    odd.reply("POST", RESET, NO)
    await refusal(switch(odd).off())
    assert odd.logged_out == 1


async def test_a_user_that_may_not(odd):
    odd.state = "On"
    odd.reply("POST", RESET, (403, {}, {}))
    assert (await refusal(switch(odd).off())).code == "power-refused"


# -- its certificate


async def test_another_certificate_gets_no_password(odd):
    found = await refusal(switch(odd, fingerprint="ab" * 32).observe())
    assert (found.code, found.field) == ("power-certificate", "fingerprint")
    assert odd.settings.fingerprint in found.message, "so that a person can compare it"
    assert odd.asked == []


async def test_without_a_pin_an_authority_has_to_vouch(odd):
    found = await refusal(switch(odd, fingerprint="").observe())
    assert (found.code, found.field) == ("power-certificate", "fingerprint")
    assert odd.settings.fingerprint in found.message, "so that a person can accept it"
    assert odd.asked == []


async def test_the_certificate_that_is_shown_can_be_read(odd):
    assert await presented(replace(odd.settings, fingerprint="")) == odd.settings.fingerprint
    assert odd.asked == []
    found = await refusal(presented(replace(odd.settings, port=9)))
    assert (found.code, found.field) == ("power-unreachable", "address")


# -- answers that make no sense


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"", {}),
        (200, b"<html>Please log in</html>", {"Content-Type": "text/html"}),
        (200, b"[" * 100_000, {}),
        (200, b"\xff\xfe\x00garbage", {}),
        (200, b'{"Members": 7}', {}),
        (200, b'{"Members": [7, null]}', {}),
        (200, b'{"Members": [{"@odata.id": "https://elsewhere.example/x"}]}', {}),
        (200, b'{"Members": [{"@odata.id": "//elsewhere.example/x"}]}', {}),
        (200, b'{"Members": [{"@odata.id": "/a b\\r\\nX-Evil: 1"}]}', {}),
        (200, b'{"Members": []}', {}),
        (200, b'{"Members": ' + b"9" * 10_000 + b"}", {}),
        (500, b'{"error": {"message": "\\u001b[2J' + controllers.PASSWORD.encode() + b'\\n"}}', {}),
        (503, b"", {"Retry-After": "30"}),
        (302, b"", {"Location": "https://elsewhere.example/"}),
        (302, b"", {"Location": SYSTEMS}),
        (404, b"", {}),
    ],
)
async def test_senseless_answers(odd, answer):
    odd.reply("GET", SYSTEMS, *[answer] * 5)
    found = await refusal(switch(odd).observe())
    assert found.code in ("power-failed", "power-unreachable")


async def test_an_answer_without_end_and_one_that_never_comes(odd, monkeypatch):
    monkeypatch.setattr(client, "LIMITS", aiohttp.ClientTimeout(total=0.5))
    monkeypatch.setattr(client, "LARGEST", 1 << 20)
    odd.reply("GET", SYSTEMS, without_end, for_ever)
    assert "an answer without end" in (await refusal(switch(odd).observe())).message
    assert (await refusal(switch(odd).observe())).code == "power-unreachable"


async def test_a_connection_that_breaks(odd):
    odd.reply("GET", SYSTEMS, *[ConnectionResetError()] * 3)
    assert (await refusal(switch(odd).observe())).code == "power-unreachable"


async def test_redirects_on_the_same_controller_are_followed(odd):
    odd.reply("GET", SYSTEMS, (308, b"", {"Location": f"{SYSTEMS}/"}))
    odd.documents[f"{SYSTEMS}/"] = odd.documents[SYSTEMS]
    assert await switch(odd).observe() is PowerState.OFF


ODD_PASSWORD = 'pass "wörd" ' + "x" * 20


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("padding", [0, 270, 290])
async def test_a_controller_that_repeats_all_it_got_tells_no_secret(odd, caplog, session, padding):
    """In whatever form it got it, and wherever what is shown of its words is cut."""
    caplog.set_level("DEBUG")

    async def repeats(request):
        got = f"{dict(request.headers)} {await request.text()}"
        return web.json_response({"error": {"message": "." * padding + got}}, status=400)

    async def logs_in(request):
        return web.json_response({}, status=201, headers={"X-Auth-Token": "t0ken", "Location": "/s/7"})

    if session:
        odd.basic = False
        odd.reply("POST", "/redfish/v1/SessionService/Sessions", logs_in)
        odd.reply("GET", SYSTEMS, (401, {}, {}), repeats)
    else:
        odd.reply("GET", SYSTEMS, repeats)
    made = switch(odd, ODD_PASSWORD)
    found = await refusal(made.observe())
    told = f"{found!r} {found.hint} {made!r} {caplog.text}"
    proof = base64.b64encode(f"{controllers.USER}:{ODD_PASSWORD}".encode()).decode()
    for secret in (ODD_PASSWORD, json.dumps(ODD_PASSWORD)[1:-1], proof, "t0ken"):
        assert all(secret[:size] not in told for size in range(4, len(secret) + 1)), secret


async def test_no_secret_is_shown_or_logged(odd, caplog):
    caplog.set_level("DEBUG")
    made = switch(odd)
    await made.on()
    assert controllers.PASSWORD not in repr(made) + caplog.text
