"""What the screen finds out of the computer that it is on."""

import json
import os
import threading
from contextlib import contextmanager

import pytest
from screen_acting import Person

from appliance.screen import gather
from appliance.web.setup import GOOD_FOR


@contextmanager
def block_devices(tmp_path, removable, bus):
    """A disk with its partitions as sysfs shows them."""
    disk = tmp_path / "sys" / "devices" / bus / "block" / "sdb"
    (disk / "sdb4").mkdir(parents=True)
    (disk / "removable").write_text(f"{removable}\n")
    (tmp_path / "sys/class/block").mkdir(parents=True)
    for name, place in (("sdb", disk), ("sdb4", disk / "sdb4")):
        (tmp_path / "sys/class/block" / name).symlink_to(place)
    (tmp_path / "disks").mkdir()
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/sdb4").touch()
    (tmp_path / "disks/root-a").symlink_to(tmp_path / "dev/sdb4")
    yield


@pytest.mark.parametrize(
    ("removable", "bus", "is_stick"), [(1, "pci0/sata", True), (0, "pci0/usb1", True), (0, "pci0/ata1", False)]
)
async def test_a_stick_is_told_from_a_disk(tmp_path, removable, bus, is_stick):
    with block_devices(tmp_path, removable, bus):
        gatherer = Person(tmp_path).acting.gatherer
        assert gatherer.source_disk() == tmp_path / "dev/sdb"
        assert gatherer.is_removable() is is_stick
        assert (await gatherer.look()).may_install is is_stick


async def test_somebody_with_an_account_ends_the_offer_to_install(tmp_path, store):
    with block_devices(tmp_path, 1, "usb1"):
        person = Person(tmp_path)
        assert not (await person.acting.gatherer.look()).may_install
        (tmp_path / "cmdline").write_text("qrm.appliance=1 qrm.install=1 rauc.slot=B")
        facts = await person.acting.gatherer.look()
        assert (facts.may_install, facts.is_installer, facts.slot) == (True, True, "B")


async def test_a_seed_that_was_not_applied_is_told(tmp_path):
    (tmp_path / "seed-problem").write_text("seed.toml:3: [account] name is missing\n")
    warnings = (await Person(tmp_path).acting.gatherer.look()).warnings
    assert "The seed was not applied: seed.toml:3: [account] name is missing" in warnings
    (tmp_path / "start-problem").write_text("/dev/sda, /dev/sdb hold the same copy; take all but one out\n")
    shown = (await Person(tmp_path).acting.gatherer.look()).warnings
    assert "The appliance does not start: /dev/sda, /dev/sdb hold the same copy; take all but one out." in shown


@pytest.mark.parametrize("appliance", [True, False])
async def test_who_may_come_in_where_no_network_was_ever_taken_up(tmp_path, monkeypatch, appliance):
    kernel = [
        {"ifname": "lo", "link_type": "loopback"},
        {
            "ifname": "eth0",
            "link_type": "ether",
            "addr_info": [{"local": "192.0.2.9", "scope": "global", "family": "inet"}],
        },
    ]

    async def said(argv, environment, seconds):
        return json.dumps(kernel if "address" in argv else []).encode()

    monkeypatch.setattr(gather.command, "said", said)
    person = Person(tmp_path, appliance=appliance)
    with (tmp_path / "appliance.toml").open("a") as file:
        file.write('[web]\nlisten = ["0.0.0.0:8443"]\n')
    facts = await person.acting.gatherer.look()
    if appliance:
        assert (facts.urls, facts.no_address[:26]) == ((), "a network card is there, a")
    else:
        assert facts.urls == ("https://192.0.2.9:8443",)


async def test_programs_are_asked_every_few_seconds_only(tmp_path):
    person = Person(tmp_path)
    for _ in range(3):
        await person.acting.gatherer.look()
    assert [argv[0] for argv in person.ran] == ["systemctl"]


async def test_a_link_of_yesterday_is_known_for_one(tmp_path):
    gatherer, link = Person(tmp_path).acting.gatherer, tmp_path / "setup-url"
    link.write_text("/setup?token=X\n")
    assert not (await gatherer.look()).setup_expired
    os.utime(link, (1.0, 1.0))
    assert (await gatherer.look()).setup_expired
    assert gather.SETUP_SECONDS == GOOD_FOR


async def test_a_disk_that_hangs_is_asked_once(tmp_path, monkeypatch):
    monkeypatch.setattr(gather, "PATIENCE", 0.05)
    asked, answer = [], threading.Event()

    def hanging(_):
        asked.append(True)
        answer.wait()
        return [], False

    (tmp_path / "store.db").touch()
    monkeypatch.setattr(gather, "_from_store", hanging)
    gatherer = Person(tmp_path).acting.gatherer
    try:
        for _ in range(3):
            facts = await gatherer.look()
            assert any("store cannot be looked at" in each for each in facts.warnings)
        assert asked == [True]
    finally:
        answer.set()


async def test_an_unconfirmed_change_of_the_network_is_seen(tmp_path):
    person = Person(tmp_path)
    place = tmp_path / "roots/state/etc/qrm"
    place.mkdir(parents=True)
    (place / "network.pending").write_text(json.dumps({"layout": {"interfaces": []}, "until": 99.0}))
    assert (await person.acting.gatherer.look()).network_until == 99.0
