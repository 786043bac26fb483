"""The network over the API: subnets, leases, reservations, names, and what was seen and is not here."""

from dataclasses import replace
from ipaddress import IPv4Address

from msgspec import structs
from web_world import World

from appliance.lease import Lease, LeaseState
from appliance.machine import MachineId, State
from appliance.sighting import ForeignServer, Sighting, Stage
from appliance.store import machines, sightings
from appliance.store.leases import StoredLeases

MAC = "02:00:00:00:00:09"


def lease(world: World, last: int, mac: str = MAC, **changes: object) -> Lease:
    now = world.clock()
    made = Lease(mac, IPv4Address(f"10.77.0.{last}"), "br0", b"\x01", "printer", now - 10, now + 600, LeaseState.BOUND)
    return structs.replace(made, **changes)


async def store(world: World, *leases: Lease) -> None:
    await StoredLeases(world.services.store).save(leases)


async def see(world: World, mac: str = MAC, stage: Stage = Stage.LEASED, **said: object) -> None:
    now = world.clock() - 900
    sign = Sighting(mac, "br0", now, now, stage, now, asked=3, firmware="bios", boots_at=now, **said)
    await world.services.store.write(lambda db: sightings.take(db, [sign]))


async def test_subnets(admin: World) -> None:
    now = admin.clock()
    servers = [ForeignServer("br0", "10.77.0.9", now - 50, now, client=MAC)]
    old = [ForeignServer("br0", "10.77.0.8", 1.0, now - 86401)]
    await admin.services.store.write(lambda db: sightings.put_servers(db, servers + old, 0.0))
    first, off = (await admin.api("GET", "/network/subnets"))["items"]
    assert (first["interface"], first["network"], first["mode"]) == ("br0", "10.77.0.0/24", "authoritative")
    assert [each["address"] for each in first["foreign"]] == ["10.77.0.9"]
    assert (off["interface"], off["mode"], off["network"]) == ("off0", "off", None)


async def test_leases_are_listed_in_pages_and_filtered(admin: World) -> None:
    machine = await admin.machine(1)
    await store(
        admin,
        lease(admin, 9),
        lease(admin, 10, machine.macs[0], hostname="x"),
        lease(admin, 100, "02:00:00:00:00:0a", state=LeaseState.RELEASED),
        lease(admin, 101, "02:00:00:00:00:0b", end=admin.clock() - 1),
    )
    page = await admin.api("GET", "/network/leases?limit=3")
    assert [each["address"] for each in page["items"]] == ["10.77.0.9", "10.77.0.10", "10.77.0.100"]
    assert page["total"] == 4
    rest = await admin.api("GET", f"/network/leases?limit=3&cursor={page['next']}")
    assert [each["address"] for each in rest["items"]] == ["10.77.0.101"]
    active = (await admin.api("GET", "/network/leases?active=true&sort=-address"))["items"]
    assert [(each["address"], each["machine_name"]) for each in active] == [
        ("10.77.0.10", "node-1"),
        ("10.77.0.9", None),
    ]
    assert (await admin.api("GET", "/network/leases?active=false"))["total"] == 2
    assert (await admin.api("GET", "/network/leases?q=node-1"))["items"][0]["active"] is True
    assert (await admin.api("GET", "/network/leases?interface=br1"))["total"] == 0


async def test_a_lease_is_forgotten_and_of_a_live_machine_when_confirmed(admin: World) -> None:
    machine = await admin.machine(1)
    live = replace(machine, last_seen=admin.clock())
    await admin.services.store.write(lambda db: machines.put(db, live))
    await store(admin, lease(admin, 9), lease(admin, 10, machine.macs[0]))
    await admin.api("DELETE", "/network/leases/br0/10.77.0.9", 204)
    await admin.api("DELETE", "/network/leases/br0/10.77.0.9", 404)
    refused = await admin.api("DELETE", "/network/leases/br0/10.77.0.10", 409)
    assert (refused["code"], refused["field"]) == ("confirmation-needed", "confirm")
    await admin.api("DELETE", "/network/leases/br0/10.77.0.10?confirm=node-1", 204)
    assert (await admin.api("GET", "/network/leases"))["total"] == 0
    await admin.api("DELETE", "/network/leases/br0/x", 422)
    kinds = [each["kind"] for each in (await admin.api("GET", "/events?kind=network.changed"))["items"]]
    assert len(kinds) == 2


async def test_reservations_of_machines_and_of_others(admin: World) -> None:
    await admin.machine(1)
    await admin.api("PATCH", "/machines/node-1", json={"reserved_address": "10.77.0.20"})
    body = {"mac": "02-00-00-00-00-09", "address": "10.77.0.9", "name": "printer", "note": "room 5"}
    made = await admin.api("POST", "/network/reservations", 201, json=body)
    assert (made["mac"], made["kind"]) == (MAC, "other")
    found = (await admin.api("GET", "/network/reservations"))["items"]
    assert [(each["kind"], each["address"], each["name"], each["mac"]) for each in found] == [
        ("other", "10.77.0.9", "printer", MAC),
        ("machine", "10.77.0.20", "node-1", "52:54:00:00:00:01"),
    ]
    assert (await admin.api("GET", "/network/reservations?kind=machine"))["total"] == 1
    assert (await admin.api("GET", "/network/reservations?q=room"))["total"] == 1
    names = (await admin.api("GET", "/network/names?owner=reservation"))["items"]
    assert [(each["name"], each["value"], each["of"]) for each in names] == [("printer.lab.test", "10.77.0.9", MAC)]
    await admin.api("POST", "/network/reservations", 201, json={**body, "address": "10.77.0.10"})
    assert (await admin.api("GET", "/network/names?q=printer"))["items"][0]["value"] == "10.77.0.10"
    await admin.api("DELETE", f"/network/reservations/{MAC}", 204)
    await admin.api("DELETE", f"/network/reservations/{MAC}", 404)
    assert (await admin.api("GET", "/network/names?owner=reservation"))["total"] == 0


UUID = "4c4c4544-0042-3510-8052-b4c04f4e3432"


async def test_reservations_of_boards_and_ports(admin: World) -> None:
    board = {"uuid": UUID.upper(), "address": "10.77.0.9", "name": "db1"}
    made = await admin.api("POST", "/network/reservations", 201, json=board)
    assert (made["key"], made["mac"], made["uuid"], made["port"]) == (f"uuid:{UUID}", "", UUID, "")
    port = {"port": "10.78.0.1/0x4769312f302f33", "address": "10.77.0.8"}
    made = await admin.api("POST", "/network/reservations", 201, json=port)
    assert (made["key"], made["port"]) == ("port:10.78.0.1/Gi1/0/3", "10.78.0.1/Gi1/0/3")
    found = (await admin.api("GET", "/network/reservations"))["items"]
    assert [each["key"] for each in found] == ["port:10.78.0.1/Gi1/0/3", f"uuid:{UUID}"]
    assert (await admin.api("GET", "/network/reservations?q=gi1/0"))["total"] == 1
    names = (await admin.api("GET", "/network/names?owner=reservation"))["items"]
    assert [(each["name"], each["value"]) for each in names] == [("db1.lab.test", "10.77.0.9")]
    await admin.api("DELETE", "/network/reservations/port%3A10.78.0.1%2FGi1%2F0%2F3", 204)
    await admin.api("DELETE", f"/network/reservations/uuid:{UUID}", 204)
    assert (await admin.api("GET", "/network/reservations"))["total"] == 0


async def test_a_machine_has_one_reserved_address_by_whatever_it_is_known(admin: World) -> None:
    machine = replace(await admin.machine(1), uuid=UUID)
    await admin.services.store.write(lambda db: machines.put(db, machine))
    board = {"uuid": UUID, "address": "10.77.0.9"}
    await admin.api("POST", "/network/reservations", 201, json=board)
    refused = await admin.api("PATCH", "/machines/node-1", 409, json={"reserved_address": "10.77.0.20"})
    assert (refused["code"], refused["field"]) == ("uuid-reserved", "reserved_address")
    await admin.api("DELETE", f"/network/reservations/uuid:{UUID}", 204)
    await admin.api("PATCH", "/machines/node-1", json={"reserved_address": "10.77.0.20"})
    refused = await admin.api("POST", "/network/reservations", 409, json=board)
    assert (refused["code"], refused["field"]) == ("uuid-of-machine", "uuid")
    assert "node-1, for which 10.77.0.20 is reserved" in str(refused)


async def test_who_holds_the_address_behind_the_port_keeps_it(admin: World) -> None:
    await store(admin, lease(admin, 30, port="10.78.0.1/eth3"))
    refused = await admin.api(
        "POST", "/network/reservations", 409, json={"port": "10.78.0.1/eth4", "address": "10.77.0.30"}
    )
    assert refused["code"] == "address-in-use"
    await admin.api("POST", "/network/reservations", 201, json={"port": "10.78.0.1/eth3", "address": "10.77.0.30"})
    assert (await admin.api("GET", "/network/leases"))["items"][0]["port"] == "10.78.0.1/eth3"


async def test_dhcp_options_of_a_machine(admin: World) -> None:
    await admin.machine(1)
    options = {"mtu": "9000", "42": "10.77.0.2", "224": "0x0a4d"}
    changed = await admin.api("PATCH", "/machines/node-1", json={"dhcp_options": options})
    assert changed["dhcp_options"] == {"224": "0x0a4d", "ntp-servers": "10.77.0.2", "mtu": "9000"}
    for wrong, says in (
        ({"53": "1"}, "part of the protocol"),
        ({"mtu": "1"}, "whole number from 68"),
        ({"nonsense": "1"}, "no option"),
        ({str(code): "x" for code in range(200, 240)}, "too many"),
    ):
        refused = await admin.api("PATCH", "/machines/node-1", 422, json={"dhcp_options": wrong})
        assert (refused["code"], refused["field"]) == ("option-invalid", "dhcp_options")
        assert says in str(refused)
    await admin.api("PATCH", "/machines/node-1", json={"notes": "x"})
    assert (await admin.api("GET", "/machines/node-1"))["dhcp_options"] == changed["dhcp_options"]
    assert (await admin.api("PATCH", "/machines/node-1", json={"dhcp_options": {}}))["dhcp_options"] == {}


async def test_reservations_that_cannot_be_are_refused_with_the_field(admin: World) -> None:
    machine = await admin.machine(1)
    await admin.api("PATCH", "/machines/node-1", json={"reserved_address": "10.77.0.20"})
    await store(admin, lease(admin, 30, "02:00:00:00:00:0a"))
    for body, status, code, field in (
        ({"mac": "x", "address": "10.77.0.9"}, 422, "mac-invalid", "mac"),
        ({"mac": machine.macs[0], "address": "10.77.0.9"}, 409, "mac-of-machine", "mac"),
        ({"address": "10.77.0.9"}, 422, "reservation-owner", "mac"),
        ({"mac": MAC, "port": "a/b", "address": "10.77.0.9"}, 422, "reservation-owner", "port"),
        ({"uuid": "0" * 32, "address": "10.77.0.9"}, 422, "uuid-invalid", "uuid"),
        ({"port": "eth3", "address": "10.77.0.9"}, 422, "port-invalid", "port"),
        ({"mac": MAC, "address": "192.0.2.1"}, 422, "address-invalid", "address"),
        ({"mac": MAC, "address": "10.77.0.1"}, 422, "address-invalid", "address"),
        ({"mac": MAC, "address": "10.77.0.20"}, 409, "address-taken", "address"),
        ({"mac": MAC, "address": "10.77.0.30"}, 409, "address-in-use", "address"),
        ({"mac": MAC, "address": "10.77.0.9", "name": "node-1"}, 409, "name-taken", "name"),
        ({"mac": MAC, "address": "10.77.0.9", "name": "A B"}, 422, "name-invalid", "name"),
        ({"mac": MAC, "address": "10.77.0.9", "note": "x" * 1001}, 422, "note-long", "note"),
    ):
        refused = await admin.api("POST", "/network/reservations", status, json=body)
        assert (refused["code"], refused.get("field") or "") == (code, field), body
    await admin.api("POST", "/network/reservations", 201, json={"mac": MAC, "address": "10.77.0.9", "name": "printer"})
    taken = await admin.api("PATCH", "/machines/node-1", 409, json={"reserved_address": "10.77.0.9"})
    assert taken["code"] == "address-taken"
    assert (await admin.api("PATCH", "/machines/node-1", 409, json={"name": "printer"}))["code"] == "name-taken"


async def test_names(admin: World) -> None:
    await admin.machine(1)
    www = await admin.api("POST", "/network/names", 201, json={"name": "www", "type": "A", "value": "10.77.0.9"})
    alias = {"name": "web", "type": "CNAME", "value": "www"}
    assert (await admin.api("POST", "/network/names", 201, json=alias))["value"] == "www.lab.test"
    for body, status, code in (
        ({"name": "node-1", "type": "A", "value": "10.77.0.9"}, 409, "name-taken"),
        ({"name": "www", "type": "CNAME", "value": "x"}, 409, "name-taken"),
        ({"name": "appliance", "type": "A", "value": "10.77.0.9"}, 422, "name-reserved"),
        ({"name": "www", "type": "MX", "value": "x"}, 422, "body-field"),
    ):
        assert (await admin.api("POST", "/network/names", status, json=body))["code"] == code, body
    page = await admin.api("GET", "/network/names?limit=2")
    rest = await admin.api("GET", f"/network/names?limit=2&cursor={page['next']}")
    listed = [(each["name"], each["type"], each["owner"]) for each in (*page["items"], *rest["items"])]
    assert listed == [
        ("appliance.lab.test", "A", "own"),
        ("web.lab.test", "CNAME", "record"),
        ("www.lab.test", "A", "record"),
    ]
    assert (await admin.api("GET", "/network/names?type=CNAME&sort=-name"))["total"] == 1
    assert (await admin.api("GET", f"/network/names?sort=-name&cursor={page['next']}", 400))["code"] == "cursor-invalid"
    service = {"name": "_ldap._tcp", "type": "SRV", "value": "0 5 389 node-1"}
    assert (await admin.api("POST", "/network/names", 201, json=service))["value"] == "0 5 389 node-1.lab.test"
    assert (await admin.api("GET", "/network/names?type=SRV"))["items"][0]["value"] == "0 5 389 node-1.lab.test"
    await admin.api("DELETE", f"/network/names/{www['id']}", 204)
    await admin.api("DELETE", f"/network/names/{www['id']}", 404)
    assert (await admin.api("DELETE", "/network/names/node-1", 409))["code"] == "record-managed"
    refused = await admin.api("PATCH", "/machines/node-1", 409, json={"name": "web"})
    assert refused["code"] == "name-taken"


async def test_what_was_seen_and_is_not_here(admin: World) -> None:
    await see(admin, hostname="laptop")
    await see(admin, "02:00:00:00:00:0a", Stage.STACK)
    here = await admin.machine(1)
    await see(admin, here.macs[0])
    stranger = replace(here, id=MachineId("m2"), name="node-2", state=State.DISCOVERED, macs=(MAC,))
    await admin.services.store.write(lambda db: machines.put(db, stranger))
    page = await admin.api("GET", "/network/sightings?sort=mac")
    assert [(each["mac"], each["machine_name"], each["stage"]) for each in page["items"]] == [
        (MAC, "node-2", "leased"),
        ("02:00:00:00:00:0a", None, "stack"),
    ]
    assert "never asked for it by TFTP" in page["items"][0]["cause"]
    assert "firewall" in page["items"][0]["hint"]
    assert (await admin.api("GET", "/network/sightings?stage=stack"))["total"] == 1
    assert (await admin.api("GET", "/network/sightings?q=LAPTOP"))["total"] == 1
    assert (await admin.api("GET", "/network/sightings?here=true"))["items"][0]["mac"] == here.macs[0]
    await admin.api("GET", "/network/sightings?stage=nowhere", 422)
    assert (await admin.api("GET", f"/network/sightings/{MAC}"))["asked"] == 3
    await admin.api("DELETE", f"/network/sightings/{MAC}", 204)
    await admin.api("GET", f"/network/sightings/{MAC}", 404)
    await admin.api("DELETE", f"/network/sightings/{MAC}", 404)
