"""Which machine and disk are chosen, and why the others are not."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.catalogue import Image, ImageId
from appliance.delivery import (
    LEAST_SPARE,
    check_delivery,
    check_image,
    memory_needed,
    obstacle,
    root_needed,
    root_size,
)
from appliance.deployment import (
    Deployment,
    Requirements,
    check_disk_wishes,
    choose_disk,
    choose_machine,
    content_in_words,
    disk_identity,
    machine_objection,
)
from appliance.errors import Conflict, Invalid
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.rescue import Rescue
from appliance.workflow import DeploymentId

RAM = Path(__file__).parents[1] / "image-builder/handover/90qrm-root/ram.sh"

GIB = 1 << 30
IMAGE = Image(ImageId(1), "debian", "", "raw", 2 * GIB, GIB, "0" * 64, 512, 0.0)
EMPTY, FULL = (
    {"empty": True, "summary": "empty", "fingerprint": "e"},
    {"empty": False, "summary": "ext4 'x'", "fingerprint": "f"},
)


def disk(serial, size=4 * GIB, content=EMPTY, **more):
    return {
        "name": "sda",
        "serial": serial,
        "wwn": f"wwn-{serial}",
        "bytes": size,
        "sector_size": 512,
        "content": content,
        **more,
    }


def machine(name="node-1", *disks, memory=GIB, cpus=2, **more):
    inventory = {"disks": list(disks or [disk("S1")]), "memory": {"bytes": memory}, "cpu": {"threads": cpus}}
    made = Machine(MachineId(name), name, State.IDLE, (MacAddress("52:54:00:00:00:01"),), 0.0, maintenance=False)
    return replace(made, inventory=inventory, firmware="bios", **more)


def deployment(**more):
    return Deployment(DeploymentId(1), "web-1", ImageId(1), 0.0, **more)


def choose(wanted, machines, taken=frozenset(), recent=0.0):
    return choose_machine(wanted, IMAGE, machines, taken, recent)


def test_the_smallest_empty_disk_that_fits():
    chosen = choose_disk(machine("m", disk("BIG", 9 * GIB), disk("FIT", 3 * GIB), disk("TINY", GIB)), IMAGE, None)
    assert chosen.serial == "FIT"


@pytest.mark.parametrize("name", ["OLD", "wwn-OLD"])
def test_a_disk_that_was_named_whatever_is_on_it(name):
    chosen = choose_disk(machine("m", disk("S1"), disk("OLD", content=FULL)), IMAGE, name)
    assert (chosen.serial, chosen.content, chosen.summary, chosen.owned) == ("OLD", "f", "ext4 'x'", False)


@pytest.mark.parametrize(
    ("content", "empty", "words"),
    [
        (EMPTY, True, "empty"),
        (
            {"empty": True, "summary": "empty; attempt 7 began to write here"},
            True,
            "empty; attempt 7 began to write here",
        ),
        ({"empty": True}, True, "empty"),
        (FULL, False, "ext4 'x'"),
        ({"empty": False, "summary": "empty"}, False, "empty"),
        ({"summary": "empty"}, False, "empty"),
        ({}, False, "unknown content"),
        (None, False, "unknown content"),
    ],
)
def test_only_the_agent_s_own_word_makes_a_disk_empty(content, empty, words):
    """What it says of it for people is no such word."""
    found = disk_identity(disk("S1", content=content))
    assert (found.empty, found.summary, content_in_words(content)) == (empty, words, words)


@pytest.mark.parametrize("unread", [None, {}, {"empty": None}, {"empty": False, "summary": "cannot be read"}])
def test_a_disk_that_could_not_be_read_is_not_taken_for_empty(unread):
    with pytest.raises(Conflict) as caught:
        choose_disk(machine("m", disk("S1", content=unread)), IMAGE, None)
    assert caught.value.code == "no-disk-fits"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"read_only": True}, "is read-only"),
        ({"sector_size": 4096}, "4096-byte sectors"),
        ({"bytes": GIB}, "the image needs"),
        ({"serial": None, "wwn": None}, "neither serial nor WWN"),
        ({"content": FULL}, "holds ext4 'x'"),
    ],
)
def test_every_disk_that_does_not_do_has_its_reason(more, says):
    with pytest.raises(Conflict, match=says):
        choose_disk(machine("m", {**disk("S1"), **more}), IMAGE, None)


def test_a_named_disk_must_still_fit():
    with pytest.raises(Conflict, match="the image needs"):
        choose_disk(machine("m", disk("S1"), disk("S2", GIB)), IMAGE, "S2")


def test_a_name_that_two_disks_have_means_none():
    with pytest.raises(Conflict, match="2 disks"):
        choose_disk(machine("m", disk("S1"), disk("S1")), IMAGE, "S1")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"maintenance": True}, "in maintenance"),
        *[({"state": state}, f"it is {state}") for state in sorted(set(State) - {State.IDLE})],
    ],
)
def test_only_idle_machines_out_of_maintenance(change, says):
    assert says in machine_objection(replace(machine(), **change), Requirements(), ())


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Requirements(cpus=3), "2 of 3 CPUs"),
        (Requirements(memory_bytes=2 * GIB), "1024 MiB of memory of 2048"),
        (Requirements(firmware="uefi"), "firmware is bios, not uefi"),
    ],
)
def test_requirements(asked, says):
    assert says in machine_objection(machine(), asked, ())
    assert machine_objection(machine(), Requirements(2, GIB, 4 * GIB, "bios"), ()) is None


def test_the_disk_that_is_chosen_is_as_large_as_was_asked_for():
    node = machine("m", disk("FITS-IMAGE", 3 * GIB), disk("LARGE", 6 * GIB), disk("HUGE", 9 * GIB))
    asks = deployment(requirements=Requirements(disk_bytes=5 * GIB))
    assert choose(asks, [node])[1].serial == "LARGE"
    assert choose_disk(node, IMAGE, None, 5 * GIB).serial == "LARGE"
    for named in (asks, replace(asks, wanted_disk="FITS-IMAGE")):
        with pytest.raises(Conflict, match=f"has {3 * GIB} bytes, {5 * GIB} are asked for"):
            choose(named, [machine("m", disk("FITS-IMAGE", 3 * GIB))])


def test_a_full_disk_that_is_large_enough_does_not_lend_its_size_to_an_empty_one():
    node = machine("m", disk("SMALL", 3 * GIB), disk("FULL", 9 * GIB, FULL))
    with pytest.raises(Conflict, match=r"are asked for.*holds ext4 'x'"):
        choose(deployment(requirements=Requirements(disk_bytes=5 * GIB)), [node])


def test_a_machine_without_inventory_has_nothing():
    bare = replace(machine(), inventory=None)
    assert machine_objection(bare, Requirements(), ()) is None
    with pytest.raises(Conflict, match="no disk"):
        choose(deployment(), [bare])


def test_the_smallest_machine_that_fits_and_has_a_disk():
    small = machine("small", disk("A", content=FULL), memory=GIB)
    middle, large = machine("middle", memory=2 * GIB), machine("large", memory=4 * GIB)
    assert choose(deployment(), [large, small, middle])[0] == middle
    assert choose(deployment(), [large, middle], frozenset({middle.id}))[0] == large


def test_a_machine_that_is_there_before_a_smaller_one_that_is_off():
    off, unseen = machine("off", last_seen=99.0), machine("unseen")
    there, large = machine("there", memory=2 * GIB, last_seen=100.0), machine("large", memory=4 * GIB, last_seen=200.0)
    assert choose(deployment(), [off, unseen, large, there], recent=100.0)[0] == there
    assert choose(deployment(), [off, unseen], recent=100.0)[0] == off
    chosen = deployment(wanted_machine=off.id)
    assert choose(chosen, [off, there], recent=100.0)[0] == off


def test_the_machine_that_was_chosen_and_no_other():
    wanted = deployment(wanted_machine=MachineId("b"))
    assert choose(wanted, [machine("a"), machine("b", memory=9 * GIB)])[0].name == "b"
    with pytest.raises(Conflict, match="any more"):
        choose(wanted, [machine("a")])


def test_every_machine_that_does_not_do_is_named_with_its_reason():
    with pytest.raises(Conflict) as caught:
        choose(deployment(), [machine("a", maintenance=True), machine("b", disk("S", GIB))])
    for words in ("a: it is in maintenance", "b: ", "the image needs"):
        assert words in caught.value.message
    with pytest.raises(Conflict, match="no machine yet"):
        choose(deployment(), [])


def test_deliveries():
    assert check_delivery("disk") == "disk"
    with pytest.raises(Invalid):
        check_delivery("aoe")


def test_a_delivery_that_another_version_stored_is_refused_in_words():
    """A store goes back with the version before: what that one cannot do must not be an error of ours."""
    with pytest.raises(Invalid, match="'pigeon' is not available") as caught:
        check_image(IMAGE, "pigeon")
    assert (caught.value.code, caught.value.field) == ("delivery-unknown", "delivery")
    with pytest.raises(Invalid, match="'pigeon'"):
        choose(deployment(delivery="pigeon"), [machine()])


@pytest.mark.parametrize(
    ("has", "wants", "says"),
    [
        (("a", "b"), ("a",), None),
        (("a",), (), None),
        (("a",), ("a", "b"), "it lacks the tag b"),
        ((), ("b", "a"), "it lacks the tags a, b"),
    ],
)
def test_a_machine_has_all_tags_that_are_asked_for(has, wants, says):
    tagged = replace(machine("m", disk("S1")), tags=has)
    assert machine_objection(tagged, Requirements(tags=wants), ()) == says


def test_a_machine_that_is_to_be_rescued_is_not_taken():
    wished = replace(machine("m", disk("S1")), rescue=Rescue())
    assert machine_objection(wished, Requirements(), ()) == "it is about to be rescued"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "tar"}, "it is a root file system"),
        ({"format": "squashfs"}, "it is a root file system"),
        ({"holds": "iso9660"}, "no disk boots it"),
    ],
)
def test_what_is_no_disk_is_refused_whatever_machines_there_are(change, words):
    image, fitting = replace(IMAGE, **change), machine("node-1", disk("s1"))
    for pool in ([], [fitting]):
        with pytest.raises(Conflict, match=words) as refused:
            choose_machine(deployment(), image, pool, frozenset(), 0.0)
        assert (refused.value.code, refused.value.field) == ("image-not-deployable", "image")
    with pytest.raises(Conflict, match=words):
        choose_disk(fitting, image, "s1")


def test_a_disc_that_a_disk_boots_as_well_is_none():
    image = replace(IMAGE, holds="iso9660", firmware=("bios",))
    assert choose_disk(machine("node-1", disk("s1")), image, "s1").serial == "s1"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"wanted_disk": "S1"}, "disk"),
        ({"wipe_on_release": True}, "wipe_on_release"),
        ({"requirements": Requirements(disk_bytes=1)}, "requirements.disk_bytes"),
    ],
)
def test_nothing_is_asked_of_a_disk_that_is_not_touched(asked, field):
    deployment = Deployment(DeploymentId(1), "web-1", ImageId(1), 0.0, **asked)
    assert check_disk_wishes(deployment) is deployment
    with pytest.raises(Invalid) as refused:
        check_disk_wishes(replace(deployment, delivery="ram"))
    assert (refused.value.code, refused.value.field) == ("disk-unused", field)


@pytest.mark.parametrize("mebibytes", [1, 145, 1024, 4096])
def test_a_machine_that_is_chosen_has_the_memory_that_the_hand_over_initrd_asks_for(mebibytes):
    """Its own rule stands in ram.sh; the rest is what is not free of a machine's memory by then."""
    size = mebibytes << 20
    image = Image(ImageId(1), "live", "", "squashfs", size, size, "0" * 64, 512, 0.0)
    spare = int(re.search(r"^spare=(\d+)$", RAM.read_text(), re.MULTILINE)[1])
    assert "more=$((bytes / 4))" in RAM.read_text()
    assert memory_needed(image) == size + max(spare, size // 4) + (256 << 20)


@pytest.mark.parametrize("delivery", ["iscsi", "nfs"])
@pytest.mark.parametrize(
    ("form", "words"), [("squashfs", ""), ("tar", ""), ("raw", "a whole disk"), ("raw.zst", "a whole disk")]
)
def test_a_root_volume_is_filled_with_files(delivery, form, words):
    said = obstacle(replace(IMAGE, format=form), delivery)
    assert words in said
    assert bool(said) == bool(words)


def test_a_root_volume_takes_its_image_whatever_is_asked_for():
    small = replace(IMAGE, format="tar", size=100 << 20)
    assert root_size(small, None) == root_needed(small) + LEAST_SPARE
    assert root_size(small, 1) == root_needed(small) > small.size
    assert root_size(small, 50 << 30) == 50 << 30
    large = replace(small, size=40 << 30)
    assert root_size(large, None) == root_needed(large) + large.size
