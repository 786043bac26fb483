"""``qrm network``: what is listed, added and deleted."""

from ipaddress import IPv4Address

from cli_world import Cli

from appliance.lease import Lease, LeaseState
from appliance.sighting import ForeignServer, Sighting, Stage
from appliance.store import sightings
from appliance.store.leases import StoredLeases

MAC = "02:00:00:00:00:09"


async def test_subnets(qrm: Cli) -> None:
    now = qrm.world.clock()
    server = ForeignServer("br0", "10.77.0.9", now, now)
    await qrm.world.services.store.write(lambda db: sightings.put_servers(db, [server], 0.0))
    shown = (await qrm.run("network", "subnets")).out
    assert "10.77.0.0/24" in shown
    assert "10.77.0.9 (last" in shown
    assert (await qrm.run("network", "subnets", "--json")).json["items"][1]["mode"] == "off"


async def test_leases(qrm: Cli) -> None:
    now, machine = qrm.world.clock(), await qrm.world.machine()
    address = IPv4Address("10.77.0.60")
    lease = Lease(machine.macs[0], address, "br0", b"", "", now, now + 600, LeaseState.BOUND)
    await StoredLeases(qrm.world.services.store).save([lease])
    assert "node-1" in (await qrm.run("network", "leases")).out
    assert "No lease" in (await qrm.run("network", "leases", "--ended")).out
    assert "--confirm node-1" in (await qrm.run("network", "leases", "delete", "br0", "10.77.0.60", code=1)).err
    freed = await qrm.run("network", "leases", "delete", "br0", "10.77.0.60", "--confirm", "node-1")
    assert "10.77.0.60 is free" in freed.out
    assert "until it renews" in freed.err
    assert (await qrm.run("network", "leases", "--json")).json["items"] == []


async def test_reservations(qrm: Cli) -> None:
    assert "No address is reserved" in (await qrm.run("network", "reservations")).out
    added = await qrm.run("network", "reservations", "add", MAC, "10.77.0.9", "--name", "printer", "--note", "room 5")
    assert "10.77.0.9 is reserved for 02:00:00:00:00:09" in added.out
    assert "room 5" in (await qrm.run("network", "reservations", "-q", "printer")).out
    refused = await qrm.run("network", "reservations", "add", MAC, "10.77.0.1", code=4)
    assert "[address]" in refused.err
    await qrm.run("network", "reservations", "delete", MAC)
    await qrm.run("network", "reservations", "delete", MAC, code=4)
    for owner in ("port:10.78.0.1/Gi1/0/3", "uuid:4c4c4544-0042-3510-8052-b4c04f4e3432"):
        await qrm.run("network", "reservations", "add", owner, "10.77.0.9")
        assert owner in (await qrm.run("network", "reservations")).out
        assert owner in (await qrm.run("network", "reservations", "delete", owner)).out
    assert "port-invalid" in (await qrm.run("network", "reservations", "add", "port:eth3", "10.77.0.9", code=4)).err


async def test_names(qrm: Cli) -> None:
    assert "record 1" in (await qrm.run("network", "names", "add", "www", "a", "10.77.0.9")).out
    await qrm.run("network", "names", "add", "www", "MX", "x", code=2)
    assert "name-taken" in (await qrm.run("network", "names", "add", "www", "CNAME", "x", code=4)).err
    shown = await qrm.run("network", "names", "--limit", "1")
    assert "appliance.lab.test" in shown.out
    assert "1 more are not shown" in shown.err
    assert "record 1" in (await qrm.run("network", "names", "--owner", "record", "--type", "A")).out
    await qrm.run("network", "names", "delete", "1")
    assert (await qrm.run("network", "names", "--json", "--owner", "record")).json["total"] == 0


async def test_seen(qrm: Cli) -> None:
    assert "Nothing that is not here" in (await qrm.run("network", "seen")).out
    now = qrm.world.clock() - 900
    sign = Sighting(MAC, "br0", now, now, Stage.STACK, now, firmware="bios", boots_at=now, vendor_class="\x1b[2J")
    await qrm.world.services.store.write(lambda db: sightings.take(db, [sign]))
    shown = (await qrm.run("network", "seen", "--stage", "stack", "--stage", "script")).out
    assert "fetched the maintenance stack" in shown
    assert "too little memory" in shown
    assert "\x1b" not in (await qrm.run("network", "seen", "--json")).out
    await qrm.run("network", "seen", "delete", MAC)
    await qrm.run("network", "seen", "delete", MAC, code=4)
