"""Pools and volumes in the console: what is said of them, what is asked before something is lost, where one is led."""

import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor
from console_seed_storage import ARCHIVE, CUSTOMER, FAST, KEPT, LAB, LOST, OLD_UUID, WEBSERVER, PaperHelper

from appliance.catalogue import Image, ImageId
from appliance.errors import ApplianceError
from appliance.pool import Deed, GoldenVolume, Use
from appliance.reconcile.pool_news import Told
from appliance.sizes import parse_size
from appliance.store import catalogue, goldens, pools, tasks
from appliance.task import Status
from appliance.volume import GRAIN, Level, PoolId, PoolKind, rounded
from appliance.web.console import pool_words

POOL, VOLUME = f"/storage/{LAB}", f"/storage/{LAB}/volumes/{CUSTOMER}"
GOLDEN = f"{POOL}/volumes/{WEBSERVER}"


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


def helper(of: Visitor) -> PaperHelper:
    found = of.services.storage().rooms.on.helper
    assert isinstance(found, PaperHelper)
    return found


async def names(of: Visitor, pool: int = LAB) -> list[str]:
    return [each.volume.name for each in (await of.services.storage().views.pool(str(pool))).volumes]


# -- what is said


async def test_how_full_a_pool_is_is_said_in_words(ada: Visitor) -> None:
    page = said(await ada.get("/storage"))
    assert "Data 86% of 400 GiB filling up Metadata 41% of 4 GiB well" in page
    assert "Promised 960 GiB, 2.4 times what there is Largest possible 400 GiB" in page
    assert "archive missing" in page


async def test_what_is_foreign_is_shown_and_has_no_button(ada: Visitor) -> None:
    page = await ada.get(f"/storage/{FAST}")
    foreign = page[page.index("Not ours</h2>") :].partition("</section>")[0]
    assert "root 24 GiB logical volume, linear" in said(foreign)
    assert "href" not in foreign


async def test_volumes_are_filtered_and_sorted(ada: Visitor) -> None:
    def listed(page: str) -> list[str]:
        return re.findall(rf'c-name"><a href="{POOL}/volumes/[0-9a-f]{{16}}">([^<]+)</a>', page)

    assert listed(await ada.get(POOL)) == ["customer1", "customer1-20261120-0300", "scratch", "webserver"]
    assert listed(await ada.get(f"{POOL}?sort=size")) == [
        "scratch",
        "webserver",
        "customer1",
        "customer1-20261120-0300",
    ]
    assert listed(await ada.get(f"{POOL}?state=golden")) == ["webserver"]
    assert listed(await ada.get(f"{POOL}?state=snapshots")) == ["customer1-20261120-0300"]
    assert listed(await ada.get(f"{POOL}?q=customer+{CUSTOMER}")) == ["customer1"]
    assert "No volume matches" in await ada.get(f"{POOL}?q=nothing")


async def test_a_volume_shows_where_it_comes_from_and_what_was_made_from_it(ada: Visitor) -> None:
    assert "Made from webserver" in said(await ada.get(VOLUME))
    page = await ada.get(GOLDEN)
    assert "Made from it not in use customer1" in said(page)
    assert f'href="{VOLUME}"' in page
    assert "Not possible: webserver is golden: say first that it is golden no longer" in said(page)


async def test_a_pool_that_is_not_there_says_so_on_every_page(ada: Visitor) -> None:
    page = said(await ada.get(f"/storage/{ARCHIVE}"))
    assert "New volume Not possible: it cannot be looked at" in page
    assert "see that its disks are connected" in page
    assert "rchive cannot be looked at" in said(await ada.get(f"/storage/{ARCHIVE}/volumes/new", 404))
    assert "there is no pool '9'" in said(await ada.get("/storage/9", 404)).lower()


async def test_without_a_pool_the_page_says_what_they_are_for(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False) as someone:
        await someone.log_in()
        page = await someone.get("/storage")
        assert "No pool yet A pool is where volumes live" in said(page)
        assert 'href="/storage/new"' in page


async def test_a_pool_that_is_being_made_is_not_in_trouble(ada: Visitor) -> None:
    """Its volume group is not there yet, and nobody is to look for its disks."""
    page = await ada.post("/storage/new", 200, data={"name": "big", "kind": "lvm-thin", "disks": "WD-B1"})
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', page)
    sent = {"name": "big", "kind": "lvm-thin", "disks": "WD-B1", "agreed": "yes", "seen": seen}
    task = await ada.post("/storage/new", data=sent)
    page = await ada.get("/storage/big")
    assert "being made" in said(page)
    assert "Not possible: it is being made; wait until that has ended" in said(page)
    assert f'href="{task}"' in page
    assert "disks are connected" not in said(page)


# -- volumes


async def test_a_golden_volume_is_made_of_an_image(ada: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    async def there(_: str) -> None:
        """Whatever this computer has."""

    monkeypatch.setattr("appliance.reconcile.goldens.check_programs", there)
    new = Image(ImageId(0), "debian-root", "", "squashfs", 1 << 20, 1 << 20, "ab" * 32, 512, 1.0)
    image = await ada.services.store.write(lambda db: catalogue.add_image(db, new))
    page = await ada.get(f"{POOL}/volumes/new")
    assert "Image debian-root" in said(page)
    assert "rocky-10" not in said(page), "a disk is no root"
    for typed, status, words in (
        ({"name": "web", "size": "", "image": "debian-toor"}, 404, "there is no image"),
        ({"name": "scratch", "size": "", "image": "debian-root"}, 409, "is called scratch"),
        ({"name": "web", "size": "", "image": ""}, 422, "is no size"),
    ):
        refused = await ada.post(f"{POOL}/volumes/new", status, data=typed)
        assert words in said(refused)
        assert 'value="web"' in refused or typed["name"] != "web"
    made = await ada.post(f"{POOL}/volumes/new", data={"name": "web", "size": "", "image": "debian-root"})
    assert made.startswith("/tasks/")
    assert "Making the golden volume web in lab" in said(await ada.get(made))
    assert "being made" in said(
        await ada.post(f"{POOL}/volumes/new", 409, {"name": "w", "size": "", "image": str(image.id)})
    )


async def test_who_deletes_an_image_reads_what_becomes_of_its_volumes(ada: Visitor) -> None:
    new = Image(ImageId(0), "debian-root", "", "squashfs", 1 << 20, 1 << 20, "ab" * 32, 512, 1.0)
    image = await ada.services.store.write(lambda db: catalogue.add_image(db, new))
    golden = GoldenVolume(WEBSERVER, PoolId(LAB), image.id, "ab" * 32, "uuid", GRAIN)
    await ada.services.store.write(lambda db: goldens.put(db, golden))
    page = said(await ada.get("/images/debian-root/delete"))
    assert "Volume webserver in pool lab, 0.0 GB, was made of it and stays, with all its clones." in page


async def test_the_golden_story_by_forms(ada: Visitor) -> None:
    """Made, called golden, cloned, kept, rolled back, grown, deleted; quick work is done when the page comes back."""
    made = await ada.post(f"{POOL}/volumes/new", data={"name": "debian", "size": "10"})
    assert "Size 10 GiB" in said(await ada.get(made))
    assert await ada.post(f"{made}/golden", data={"value": "yes"}) == made
    clone = await ada.post(f"{made}/clone", data={"name": "customer9", "size": "12,5 GiB"})
    assert "Size 12.5 GiB Used 0 B (less than 1% of it) Made from debian" in said(await ada.get(clone))
    kept = await ada.post(f"{clone}/snapshot", data={"name": "before"})
    back = f"{clone}/roll-back/{kept.rpartition('/')[2]}"
    assert "What was written to it since is lost" in said(await ada.get(back))
    assert "Type exactly: customer9" in said(await ada.post(back, 422, data={"confirm": "before"}))
    assert await ada.post(back, data={"confirm": "customer9"}) == clone
    assert await ada.post(f"{clone}/grow", data={"size": "20 GiB"}) == clone
    assert "Size 20 GiB" in said(await ada.get(clone))
    assert await ada.post(f"{clone}/rename", data={"name": "customer-nine"}) == clone
    assert await ada.post(f"{clone}/delete", data={"confirm": "customer-nine"}) == POOL
    assert "customer-nine" not in await names(ada)
    assert "before" in await names(ada), "what was made from it stays"


@pytest.mark.parametrize(
    ("path", "sent", "field", "words"),
    [
        (f"{POOL}/volumes/new", {"name": "a b", "size": "1"}, "name", "cannot be the name of a volume"),
        (f"{POOL}/volumes/new", {"name": "scratch", "size": "1"}, "name", "another volume of this pool is called"),
        (f"{POOL}/volumes/new", {"name": "big", "size": "901 GiB"}, "size", "too large"),
        (f"{POOL}/volumes/new", {"name": "big", "size": "much"}, "size", "is no size"),
        (f"{VOLUME}/grow", {"size": "59 GiB"}, "size", "a volume is never made smaller"),
        (f"{VOLUME}/clone", {"name": "customer2", "size": "1 GiB"}, "size", "a volume is never made smaller"),
        (f"{VOLUME}/rename", {"name": "webserver"}, "name", "another volume of this pool is called"),
    ],
)
async def test_a_refusal_stands_at_its_field(
    ada: Visitor, path: str, sent: dict[str, str], field: str, words: str
) -> None:
    page = await ada.post(
        path, 409 if "called" in words or "too large" in words or "never" in words else 422, data=sent
    )
    (said_there,) = re.findall(rf'id="{field}-error">([^<]+)', page)
    assert words in said_there
    assert 'aria-invalid="true"' in page
    for value in sent.values():
        assert f'value="{value}"' in page, "what was typed is not lost"


async def test_the_largest_size_that_is_shown_can_be_typed(ada: Visitor) -> None:
    page = await ada.get(f"{POOL}/volumes/new")
    (largest,) = re.findall(r"<strong>([^<]+)</strong> at most now", page)
    made = await ada.post(f"{POOL}/volumes/new", data={"name": "all", "size": largest})
    assert f"Size {largest}" in said(await ada.get(made))


@pytest.mark.parametrize("grains", [1, 3, 255, 257, 12_345, 262_144, 262_145, 99_999_999])
def test_room_in_words_never_says_too_much(grains: int) -> None:
    size = grains * GRAIN
    assert size * 0.99 <= rounded(parse_size(pool_words.room_in_words(size), "GiB")) <= size


async def test_what_is_golden_is_not_deleted(ada: Visitor) -> None:
    assert "it is golden no longer" in said(await ada.get(f"{GOLDEN}/delete"))
    assert "Not possible: webserver is golden" in said(
        await ada.post(f"{GOLDEN}/delete", 409, data={"confirm": "webserver"})
    )
    assert "webserver" in await names(ada)


async def test_what_is_in_use_is_neither_rolled_back_nor_deleted(ada: Visitor) -> None:
    ada.services.storage().rooms.on.memory("lab").opened.add(CUSTOMER)
    page = said(await ada.get(VOLUME))
    assert "(not possible: Somebody has customer1 open" in page
    for path in (f"{VOLUME}/delete", f"{VOLUME}/roll-back/{KEPT}"):
        assert "Not possible: Somebody has customer1 open" in said(await ada.get(path))
        await ada.post(path, 409, data={"confirm": "customer1"})
    assert "customer1" in await names(ada)


async def test_what_is_gone_is_forgotten_by_its_name(ada: Visitor) -> None:
    assert "Gone These were volumes of this pool" in said(await ada.get(POOL))
    assert await ada.post(f"{POOL}/volumes/{LOST}/delete", data={"confirm": "lost-one"}) == POOL
    assert await ada.services.store.read(lambda db: pools.volume(db, LOST)) is None
    assert "Gone These" not in said(await ada.get(POOL))


# -- pools


async def test_disks_that_hold_something_are_named_before_they_go(ada: Visitor) -> None:
    sent = {"name": "big", "kind": "lvm-thin", "disks": "WD-C2"}
    page = await ada.post("/storage/new", 200, data=sent)
    assert "Everything on this disk is lost" in said(page)
    assert "Model WDC WD4003FRYZ Serial WD-C2 Size 4.0 TB What is on it sdc1: ext4 'backup'; sdc2: ntfs" in said(page)
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', page)
    agreed = {**sent, "agreed": "yes", "seen": seen}
    assert "Type exactly: WD-C2" in said(await ada.post("/storage/new", 409, data={**agreed, "confirm": "big"}))
    assert helper(ada).asked == []
    task = await ada.post("/storage/new", data={**agreed, "confirm": "WD-C2"})
    assert "Making the pool big" in said(await ada.get(task))
    (work,) = await ada.services.store.read(pools.works)
    assert work.parts[0].holds == ("sdc1: ext4 'backup'", "sdc2: ntfs 'Data'")


async def test_what_came_onto_a_disk_meanwhile_is_shown_first(ada: Visitor) -> None:
    sent = {"name": "big", "kind": "lvm-thick", "disks": "WD-B1"}
    page = await ada.post("/storage/new", 200, data=sent)
    assert "This disk goes into the pool" in said(page)
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', page)
    disks = helper(ada).disks
    disks[1] = type(disks[1])("sdb", "WDC", "WD-B1", "", disks[1].size, "sata", True, False, ["sdb: ext4"], False)
    page = await ada.post("/storage/new", 409, data={**sent, "agreed": "yes", "seen": seen, "confirm": "WD-B1"})
    assert 'name="confirm" value=""' in page, "it is agreed to anew"
    assert "has changed since it was shown" in said(page)
    assert "What is on it sdb: ext4" in said(page)
    assert await ada.services.store.read(pools.works) == []


@pytest.mark.parametrize(
    ("disks", "words"),
    [
        ((), "choose disks"),
        (("S5Y1NG0N",), "the appliance runs from it"),
        (("nothing",), "there is no disk"),
        (("WD-C2", "WD-C2/0c2e-01"), "is a part of WD-C2"),
    ],
)
async def test_disks_that_cannot_be_chosen(ada: Visitor, disks: tuple[str, ...], words: str) -> None:
    sent = [("name", "big"), ("kind", "lvm-thin"), *(("disks", each) for each in disks)]
    async with ada.client.post("/storage/new", headers=ada.headers, data=sent) as answer:
        page = await answer.text()
        assert answer.status in (409, 422)
    assert re.search(rf'id="disks-error">[^<]*{words}', page), said(page)


async def test_a_partition_alone_is_taken(ada: Visitor) -> None:
    page = await ada.post(f"/storage/{FAST}/extend", 200, data={"disks": "WD-C2/0c2e-01"})
    assert "Partition sdc1, 0c2e-01 Size 1.0 TB What is on it sdc1: ext4 'backup'" in said(page)


async def test_a_check_leads_to_what_it_has_found(ada: Visitor) -> None:
    link = f"/storage/{FAST}"
    assert "First the check" in said(await ada.get(f"{link}/repair"))
    task = int((await ada.post(f"{link}/examine")).rpartition("/")[2])

    def found(db: sqlite3.Connection) -> None:
        done = replace(tasks.get(db, str(task)), status=Status.DONE, ended=1.0, result={
            "sound": False, "said": "mapping 7 is missing", "steps": ["take 8 volumes away"]})  # fmt: skip
        tasks.put(db, done)

    await ada.services.store.write(found)
    assert f'href="{link}/repair"' in await ada.get(f"/tasks/{task}")
    page = said(await ada.get(f"{link}/repair"))
    assert "mapping 7 is missing" in page
    assert "Take 8 volumes away" in page
    assert "Type exactly: fast" in said(await ada.post(f"{link}/repair", 409, data={"confirm": "faster"}))


async def test_a_group_is_adopted_by_its_name(ada: Visitor) -> None:
    assert f'href="/storage/adopt?group={OLD_UUID}"' in await ada.get("/storage/adopt")
    page = said(await ada.get(f"/storage/adopt?group={OLD_UUID}"))
    assert "Logical volumes that are in it stay as they are, and are never touched" in page
    task = await ada.post(
        "/storage/adopt", data={"group": OLD_UUID, "name": "old", "kind": "lvm-thick", "confirm": "old"}
    )
    assert "Making a pool of the volume group old" in said(await ada.get(task))


async def test_a_pool_that_cannot_be_looked_at_is_only_forgotten(ada: Visitor) -> None:
    page = said(await ada.get(f"/storage/{ARCHIVE}/retire"))
    assert "Nothing on its disks is touched: connected again, it can be adopted" in page
    assert "/tasks/" in await ada.post(f"/storage/{ARCHIVE}/retire", data={"confirm": "archive"})


async def test_without_a_helper_there_are_only_directories(ada: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper(ada), "disks", [])
    page = said(await ada.get("/storage/new"))
    assert "this computer is not a flashed appliance" in page
    error = ApplianceError("helper-down", "nobody answers", "look at its journal")

    async def down(*_: object) -> None:
        raise error

    monkeypatch.setattr(ada.services.storage().offer, "disks", down)
    assert "Not possible: nobody answers; look at its journal" in said(await ada.get("/storage/new"))


# -- around


async def test_the_first_page_says_which_pools_want_somebody(ada: Visitor) -> None:
    assert "filling up fast" not in said(await ada.get("/"))
    told = {
        FAST: Told(data=Level.ALERT, metadata=Level.STOP),
        LAB: Told(volumes={"b": "scratch: half made", "c": "x: gone"}),
        ARCHIVE: Told(trouble="there is no pool"),
    }
    for pool, of in told.items():
        await ada.services.store.write(partial(pools.put_told, pool=PoolId(pool), what=of))
    page = said(await ada.get("/"))
    assert "nearly full fast its metadata is running out: no snapshots and clones are made any more" in page
    assert "in trouble lab 2 volumes are in trouble, such as scratch: half made" in page
    assert "in trouble archive there is no pool" in page
    banners = said(await ada.get("/tasks/strip"))
    assert "The pool fast is nearly full: its metadata is running out" in banners
    assert "archive" not in banners, "only what cannot wait stands on every page"


async def test_the_palette_finds_pools_and_volumes(ada: Visitor) -> None:
    page = await ada.get("/find?q=customer1")
    assert f'href="{VOLUME}"' in page
    assert "customer1 in lab volume" in said(page)
    assert f'href="/storage/{FAST}"' in await ada.get("/find?q=fast")
    assert f'href="/storage/{ARCHIVE}"' in await ada.get("/find?q=ARCH")


def test_every_kind_level_and_deed_has_its_words() -> None:
    assert set(pool_words.KINDS) == set(pool_words.MEANINGS) == set(PoolKind)
    assert set(pool_words.LEVELS) == set(Level)
    assert set(pool_words.UNDER_WAY) == set(Deed)
    assert set(pool_words.USES) == set(Use)
