"""What forms do: each act, its refusal, and that nothing typed is lost."""

import errno
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from console_client import Visitor, said, visitor
from console_seed import KEY

from appliance.deployment import Deployment, Installed, Wanted
from appliance.machine import Machine, MachineId, State
from appliance.reconcile.views import machine_view
from appliance.store import catalogue, deployments, machines
from appliance.web.console import words


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def machine(fleet: Visitor, key: str) -> Machine:
    return await fleet.services.store.read(lambda db: machines.get(db, key))


async def deployment(fleet: Visitor, key: str) -> Deployment:
    return await fleet.services.store.read(lambda db: deployments.get(db, key))


async def test_maintenance_is_switched(fleet: Visitor) -> None:
    assert await fleet.post("/machines/m0007/maintenance", data={"value": "off"}) == "/machines/m0007"
    assert not (await machine(fleet, "m0007")).maintenance
    await fleet.post("/machines/m0007/maintenance", data={"value": "on"})
    assert (await machine(fleet, "m0007")).maintenance
    await fleet.post("/machines/m0007/maintenance", 422, {"value": "maybe"})


async def test_a_name_that_is_taken_is_refused_beside_its_field(fleet: Visitor) -> None:
    page = await fleet.post("/machines/m0007/edit", 422, {"name": "node-11", "notes": "under the stairs"})
    assert "another machine is called node-11" in said(page)
    assert 'value="node-11"' in page
    assert "under the stairs" in page
    await fleet.post("/machines/m0007/edit", data={"name": "stairs", "notes": "under\r\nthem"})
    assert ((await machine(fleet, "m0007")).name, (await machine(fleet, "m0007")).notes) == ("stairs", "under\nthem")


async def test_who_has_to_press_a_button_reads_it_everywhere_with_the_deadline(fleet: Visitor) -> None:
    view = await machine_view(fleet.services.store, "node-23")
    assert view.deadline is not None
    advice, end = "Switch node-23 on, or off and on again if it hangs", f"It gives up at {words.clock(view.deadline)}"
    for page in (f"/machines/{view.machine.id}", f"/machines/{view.machine.id}/timeline", "/deployments/old-1"):
        assert f"{advice}. {end}" in said(await fleet.get(page))
    for page in ("/", "/machines", "/deployments"):
        assert "25% Switch it on, or off and on again if it hangs" in said(await fleet.get(page))
    for page in ("/tasks", "/tasks/strip"):
        assert "25% Switch node-23 on, or off and on again if it hangs" in said(await fleet.get(page))
    assert f"node-23 {advice}. {end}." in said(await fleet.get("/"))
    there = said(await fleet.get("/machines/node-14"))
    assert "Without a sign of node-14 it gives up at " in there
    assert "Switch" not in there


async def test_an_address_is_reserved_on_the_machines_page(fleet: Visitor) -> None:
    assert "Reserved none: any address of the ranges" in said(await fleet.get("/machines/m0007"))
    await fleet.post("/machines/m0007/edit", data={"name": "node-18", "reserved_address": " 10.77.0.17 "})
    assert (await machine(fleet, "m0007")).reserved_address == "10.77.0.17"
    assert "Reserved 10.77.0.17" in said(await fleet.get("/machines/m0007"))
    assert 'value="10.77.0.17"' in await fleet.get("/machines/m0007/edit")
    refused = await fleet.post("/machines/m0006/edit", 422, {"name": "node-17", "reserved_address": "10.77.0.17"})
    assert 'id="reserved_address-error"' in refused
    assert "10.77.0.17 is reserved for node-18" in said(refused)
    assert 'value="10.77.0.17"' in refused
    await fleet.post("/machines/m0007/edit", data={"name": "node-18", "reserved_address": ""})
    assert (await machine(fleet, "m0007")).reserved_address is None


async def test_dhcp_options_are_set_on_the_machines_page(fleet: Visitor) -> None:
    assert "DHCP options those of its subnet only" in said(await fleet.get("/machines/m0007/network")).replace(
        " , ", ", "
    )
    typed = "mtu = 9000\r\n\r\n42=10.77.0.2, 10.77.0.3\r\n"
    await fleet.post("/machines/m0007/edit", data={"name": "node-18", "dhcp_options": typed})
    assert (await machine(fleet, "m0007")).dhcp_options == {"mtu": "9000", "ntp-servers": "10.77.0.2, 10.77.0.3"}
    assert "mtu = 9000, ntp-servers = 10.77.0.2, 10.77.0.3" in said(await fleet.get("/machines/m0007/network")).replace(
        " , ", ", "
    )
    assert ">mtu = 9000\nntp-servers" in await fleet.get("/machines/m0007/edit")
    for wrong, says in (("mtu", "is not NAME = VALUE"), ("mtu = 1\nmtu = 2", "is there twice"), ("53 = 1", "protocol")):
        refused = await fleet.post("/machines/m0007/edit", 422, {"name": "node-18", "dhcp_options": wrong})
        assert 'id="dhcp_options-error"' in refused
        assert says in said(refused)
    await fleet.post("/machines/m0007/edit", data={"name": "node-18", "dhcp_options": ""})
    assert (await machine(fleet, "m0007")).dhcp_options == {}


async def test_an_address_is_reserved_for_a_port_and_given_up(fleet: Visitor) -> None:
    typed = {"mac": "", "uuid": "", "port": "10.78.0.1/Gi1/0/3", "address": "10.77.0.31", "name": "", "note": ""}
    await fleet.post("/network/reservations/new", data=typed)
    listed = await fleet.get("/network/reservations")
    assert "10.78.0.1/Gi1/0/3" in listed
    path = "/network/reservations/port%3A10.78.0.1%2FGi1%2F0%2F3/delete"
    assert f'href="{path}"' in listed
    assert "Give up the reservation of port 10.78.0.1/Gi1/0/3" in said(await fleet.get(path))
    await fleet.post(path)
    assert "Gi1/0/3" not in await fleet.get("/network/reservations")


async def test_the_hand_over_is_shown_and_chosen(fleet: Visitor) -> None:
    assert "Hand-over kexec" in said(await fleet.get("/machines/m0005"))
    await fleet.post("/machines/m0005/edit", data={"name": "node-16", "hand_over": "reboot"})
    assert (await machine(fleet, "m0005")).hand_over == "reboot"
    assert "Hand-over reboot" in said(await fleet.get("/machines/m0005"))
    assert 'value="reboot" selected' in await fleet.get("/machines/m0005/edit")
    refused = await fleet.post("/machines/m0005/edit", 422, {"name": "node-16", "hand_over": "jump"})
    assert 'id="hand_over-error"' in refused


async def test_a_machine_is_called_broken_and_mended(fleet: Visitor) -> None:
    await fleet.post("/machines/m0005/broken")
    assert (await machine(fleet, "m0005")).state is State.BROKEN
    await fleet.post("/machines/m0005/mend", data={"value": "yes"})
    assert (await machine(fleet, "m0005")).state is State.IDLE


async def test_a_machine_is_deleted_only_by_its_name(fleet: Visitor) -> None:
    assert "This is not it" in said(await fleet.post("/machines/m0005/delete", 422, {"confirm": "node-1"}))
    assert await fleet.post("/machines/m0005/delete", data={"confirm": "node-16"}) == "/machines"
    await fleet.get("/machines/m0005", 404)


async def test_a_machine_in_use_is_not_deleted(fleet: Visitor) -> None:
    assert "is assigned to web-1" in said(await fleet.post("/machines/m0000/delete", 409, {"confirm": "node-11"}))


async def test_a_deployment_is_made_and_started(fleet: Visitor) -> None:
    form = {"name": "new-1", "image": "debian-13", "machine": "m0005", "disk_rule": "empty", "ssh_keys": KEY}
    start = await fleet.post("/deployments/new", data=form)
    page = said(await fleet.get(start))
    assert "Overwrite S4EVNX0R00005 and start new-1 on node-16" in page
    assert (await deployment(fleet, "new-1")).wanted is Wanted.RELEASED
    await fleet.post(start)
    started = await deployment(fleet, "new-1")
    assert (started.wanted, started.machine) == (Wanted.RUNNING, "m0005")


async def test_nothing_typed_is_lost(fleet: Visitor) -> None:
    form = {
        "name": "Bad Name",
        "image": "rocky-10",
        "machine": "m0006",
        "cpus": "lots",
        "memory": "8",
        "disk_rule": "named",
        "disk": "S4EVNX0R00006",
        "ssh_keys": "not a key",
        "wipe": "yes",
        "firmware": "bios",
    }
    page = await fleet.post("/deployments/new", 422, form)
    for name in ("Bad Name", "lots", "8"):
        assert f'value="{name}"' in page
    for choice in ("rocky-10", "m0006", "S4EVNX0R00006", "bios"):
        assert f'value="{choice}" selected' in page
    assert ">not a key</textarea>" in page
    assert 'value="yes" checked' in page
    assert "3 things need a change" in said(page)


async def test_a_taken_name_is_said_beside_the_name(fleet: Visitor) -> None:
    page = await fleet.post("/deployments/new", 422, {"name": "web-1", "image": "debian-13"})
    assert 'id="name-error"' in page
    assert "another deployment is called web-1" in said(page)


async def test_a_disk_with_content_is_overwritten_only_by_its_serial(fleet: Visitor) -> None:
    form = {"name": "new-2", "image": "debian-13", "machine": "m0006", "disk_rule": "named", "disk": "S4EVNX0R00006"}
    start = await fleet.post("/deployments/new", data=form)
    page = said(await fleet.get(start))
    for fact in ("Samsung PM893", "S4EVNX0R00006", "480 GB", "ext4 'data', Debian GNU/Linux 12", "Type S4EVNX0R00006"):
        assert fact in page
    assert "Type S4EVNX0R00006" in said(await fleet.post(start, 200))
    assert "This is not it" in said(await fleet.post(start, 422, {"confirm": "yes"}))
    assert (await deployment(fleet, "new-2")).machine is None
    await fleet.post(start, data={"confirm": "S4EVNX0R00006", "content": "print-S4EVNX0R00006"})
    assert (await deployment(fleet, "new-2")).machine == "m0006"


async def test_a_disk_that_was_filled_since_the_page_was_shown_is_shown_again(fleet: Visitor) -> None:
    form = {"name": "new-2", "image": "debian-13", "machine": "m0006", "disk_rule": "named", "disk": "S4EVNX0R00006"}
    start = await fleet.post("/deployments/new", data=form)
    assert '<input type="hidden" name="content" value="print-S4EVNX0R00006">' in await fleet.get(start)
    found = (await machine(fleet, "m0006")).inventory
    assert found is not None
    found["disks"][0]["content"] |= {"fingerprint": "print-later", "summary": "ext4 'the books'"}
    await fleet.services.store.write(lambda db: machines.put_inventory(db, MachineId("m0006"), found))
    page = await fleet.post(start, 422, {"confirm": "S4EVNX0R00006", "content": "print-S4EVNX0R00006"})
    assert "has changed since it was shown" in said(page)
    assert "What is on it ext4 'the books'" in said(page)
    assert 'name="content" value="print-later"' in page
    assert (await deployment(fleet, "new-2")).machine is None
    await fleet.post(start, data={"confirm": "S4EVNX0R00006", "content": "print-later"})
    assert (await deployment(fleet, "new-2")).machine == "m0006"


async def test_a_disk_that_nobody_could_read_is_not_called_empty(fleet: Visitor) -> None:
    found = (await machine(fleet, "m0006")).inventory
    assert found is not None
    found["disks"][0]["content"] = None
    await fleet.services.store.write(lambda db: machines.put_inventory(db, MachineId("m0006"), found))
    page = said(await fleet.get("/deployments/new?machine=m0006&image=debian-13"))
    assert "S4EVNX0R00006, 480 GB (unknown content)" in page
    for path in ("/machines/m0006", "/machines/m0006/inventory"):
        assert "unknown content" in said(await fleet.get(path))


async def test_a_start_that_finds_no_machine_says_why_for_each(fleet: Visitor) -> None:
    form = {"name": "new-3", "image": "debian-13", "memory": "4096", "disk_rule": "empty"}
    page = said(await fleet.get(await fleet.post("/deployments/new", data=form)))
    assert "Not possible: no machine fits" in page
    assert "node-18: it is in maintenance" in page


async def test_release_and_redeploy_need_the_name(fleet: Visitor) -> None:
    page = said(await fleet.get("/deployments/db-1/release"))
    assert "Wipe S4EVNX0R00002 and release db-1" in page
    assert "What is on it system and data of db-1" in page
    assert "(empty)" not in page
    for action in ("release", "redeploy"):
        await fleet.post(f"/deployments/db-1/{action}", 422, {"confirm": "db-2"})
    assert (await deployment(fleet, "db-1")).wanted is Wanted.RUNNING
    await fleet.post("/deployments/db-1/redeploy", data={"confirm": "db-1"})
    assert (await deployment(fleet, "db-1")).generation == 2
    await fleet.post("/deployments/db-1/release", data={"confirm": "db-1"})
    assert (await deployment(fleet, "db-1")).wanted is Wanted.RELEASED


async def test_the_page_is_red_only_where_something_is_lost(fleet: Visitor) -> None:
    """A broken machine is not wiped, whatever was wanted, and a disk that nothing was written to is not either."""
    assert 'class="form confirm danger"' in await fleet.get("/deployments/db-1/release")
    assert 'class="form confirm"' in await fleet.get("/deployments/web-1/release")
    on = await machine(fleet, "m0002")
    await fleet.services.store.write(lambda db: machines.put(db, replace(on, state=State.BROKEN)))
    page = await fleet.get("/deployments/db-1/release")
    assert 'class="form confirm"' in page
    assert "Everything on this disk is lost" not in said(page)
    assert "Wipe" not in said(page)
    assert "Release db-1" in said(page)


async def test_retry_and_start_of_a_stopped_one_take_one_click(fleet: Visitor) -> None:
    await fleet.post("/deployments/cache-1/retry", data={"value": "yes"})
    assert (await deployment(fleet, "cache-1")).retry
    await fleet.post("/deployments/build-1/start", data={"value": "yes"})
    assert (await deployment(fleet, "build-1")).wanted is Wanted.RUNNING


async def test_a_retry_of_what_was_written_whole_wants_the_name_typed(fleet: Visitor) -> None:
    """Its system may be in use, although it never reported."""
    whole = await deployment(fleet, "cache-1")
    assert whole.disk is not None
    written = replace(whole, installed=Installed(whole.generation, whole.disk, None, "c3"))
    await fleet.services.store.write(lambda db: deployments.put(db, written))
    page = said(await fleet.post("/deployments/cache-1/retry", 200, {"value": "yes"}))
    assert "everything of cache-1" in page
    assert not (await deployment(fleet, "cache-1")).retry
    await fleet.post("/deployments/cache-1/retry", data={"confirm": "cache-1"})
    assert (await deployment(fleet, "cache-1")).retry


async def test_who_calls_a_machine_broken_is_told_what_becomes_of_its_deployment(fleet: Visitor) -> None:
    key = (await deployment(fleet, "web-1")).machine
    assert "web-1 is wanted stopped from then on" in said(await fleet.get(f"/machines/{key}/broken"))
    await fleet.post(f"/machines/{key}/broken")
    assert (await deployment(fleet, "web-1")).wanted is Wanted.STOPPED


async def test_an_act_that_came_too_late_is_refused_on_the_page(fleet: Visitor) -> None:
    page = said(await fleet.post("/deployments/web-3/stop", 409))
    assert "node-14 is deploying; wait until that has ended" in page


async def test_a_deployment_on_a_machine_is_not_deleted(fleet: Visitor) -> None:
    assert "is on a machine" in said(await fleet.post("/deployments/web-1/delete", 409, {"confirm": "web-1"}))
    assert await fleet.post("/deployments/batch-1/delete", data={"confirm": "batch-1"}) == "/deployments"


def upload(name: str, content: bytes, **fields: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for field, value in {"name": name, **fields}.items():
        form.add_field(field, value)
    form.add_field("file", content, filename="disk.raw")
    return form


async def test_an_image_is_uploaded(fleet: Visitor) -> None:
    content = bytes(512) + b"EFI PART" + bytes(1 << 20)
    content += bytes(-len(content) % 512)
    page = await fleet.get(await fleet.post("/images/new", data=upload("mine", content, description="a <b>disk</b>")))
    assert "a <b>disk</b>" in said(page)
    image = await fleet.services.store.read(lambda db: catalogue.image(db, "mine"))
    assert fleet.services.imports.image_path(image.id).read_bytes() == content


async def test_an_upload_that_is_refused_leaves_nothing(fleet: Visitor) -> None:
    before = sorted(fleet.services.imports.images.iterdir())
    for name, content, why in (
        ("debian-13", bytes(1024), "Another image is called debian-13"),
        ("Not A Name", bytes(1024), "cannot be a name"),
        ("odd", bytes(1000), "are no whole disk"),
        ("bent", b"\x28\xb5\x2f\xfd" + bytes(60), "Zstandard header does not say"),
    ):
        page = await fleet.post("/images/new", 422, upload(name, content))
        assert why in said(page)
        assert f'value="{name}"' in page
    assert sorted(fleet.services.imports.images.iterdir()) == before


async def test_an_image_that_cannot_fit_is_refused_before_it_is_written(
    fleet: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, content = sorted(fleet.services.imports.images.iterdir()), bytes(1 << 20)
    asked: list[int] = []

    def no_room(_: int, expected: int) -> None:
        asked.append(expected)
        raise OSError(errno.ENOSPC, "there is no room")

    monkeypatch.setattr("appliance.reconcile.imports.check_room", no_room)
    assert "there is no room" in said(await fleet.post("/images/new", 507, upload("mine", content)))
    assert len(content) <= asked[0] < len(content) + 1000
    assert sorted(fleet.services.imports.images.iterdir()) == before


async def test_a_form_without_a_file_is_refused(fleet: Visitor) -> None:
    empty = aiohttp.FormData()
    empty.add_field("name", "mine")
    empty.add_field("file", b"", filename="")
    assert "Choose the file" in said(await fleet.post("/images/new", 422, empty))
    assert "not a form with a file" in said(await fleet.post("/images/new", 422, {"name": "mine"}))


async def test_an_image_in_use_and_a_built_in_kernel_stay(fleet: Visitor) -> None:
    assert "uses this image" in said(await fleet.post("/images/debian-13/delete", 409, {"confirm": "debian-13"}))
    assert await fleet.post("/images/rocky-10/delete", data={"confirm": "rocky-10"}) == "/images"
    await fleet.post("/kernels/maintenance/delete", 409, {"confirm": "maintenance"})


BZIMAGE = b"\0" * 0x202 + b"HdrS" + b"\0" * 1000


def kernel_upload(name: str, vmlinuz: bytes, initrd: bytes, **fields: str) -> aiohttp.FormData:
    """As browsers send it: a file that was not chosen is a part without name and content."""
    form = aiohttp.FormData()
    for field, value in {"name": name, **fields}.items():
        form.add_field(field, value)
    form.add_field("vmlinuz", vmlinuz, filename="vmlinuz" if vmlinuz else "")
    form.add_field("initrd", initrd, filename="initrd.img" if initrd else "")
    return form


async def test_a_kernel_is_uploaded(fleet: Visitor) -> None:
    form = kernel_upload("trixie", BZIMAGE, b"ramdisk", version="6.12", cmdline="console=tty0,115200n8")
    page = said(await fleet.get(await fleet.post("/kernels/new", data=form)))
    for fact in ("trixie", "6.12", "console=tty0,115200n8", "2 kernels"):
        assert fact in page
    stored = await fleet.services.store.read(lambda db: catalogue.kernel(db, "trixie"))
    directory = fleet.services.imports.kernels
    assert (directory / f"{stored.id}.vmlinuz").read_bytes() == BZIMAGE
    assert (directory / f"{stored.id}.initrd").read_bytes() == b"ramdisk"


async def test_a_kernel_needs_no_initrd(fleet: Visitor) -> None:
    await fleet.post("/kernels/new", data=kernel_upload("alone", BZIMAGE, b""))
    stored = await fleet.services.store.read(lambda db: catalogue.kernel(db, "alone"))
    assert (stored.version, stored.initrd_sha256) == ("", None)


async def test_a_kernel_that_is_refused_leaves_nothing_and_loses_nothing_typed(fleet: Visitor) -> None:
    for name, vmlinuz, why, field in (
        ("maintenance", BZIMAGE, "Another kernel is called maintenance", "name"),
        ("Not A Name", BZIMAGE, "cannot be a name", "name"),
        ("text", b"#!/bin/sh", "this is no Linux kernel", "vmlinuz"),
        ("none", b"", "Choose the kernel to upload", "vmlinuz"),
    ):
        form = kernel_upload(name, vmlinuz, b"x", version="6.12", cmdline="quiet")
        page = await fleet.post("/kernels/new", 422, form)
        assert why in said(page)
        assert f'id="{field}-error"' in page
        for typed in (name, "6.12", "quiet"):
            assert f'value="{typed}"' in page
    assert "not a form with a file" in said(await fleet.post("/kernels/new", 422, {"name": "mine"}))
    assert list(fleet.services.imports.kernels.iterdir()) == []
