"""What the screen asks of the computer: through the helper, in its place where it is gone, and beside it."""

import asyncio
import json
import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from paper_network import PaperNetwork
from screen_person import FACTS
from screen_person import Person as AtKeys

from appliance.errors import ApplianceError, Conflict
from appliance.installer import act as installer
from appliance.installer.disks import Disk
from appliance.networking.layout import Interface, Layout
from appliance.privileged.client import missing
from appliance.privileged.computer import Computer, Roots
from appliance.privileged.verb import Done
from appliance.privileged.verbs import network
from appliance.privileged.verbs.journal import LastLines
from appliance.privileged.verbs.power import PowerOff, Reboot
from appliance.privileged.verbs.reset import Factory
from appliance.privileged.verbs.services import Restart as RestartUnit
from appliance.screen import act, gather, orders, sticks
from appliance.screen.act import ACTS, Acting
from appliance.screen.gather import Gatherer, Places, in_thread
from appliance.screen.orders import Backup, Failed, Finished, NetworkTried, Order
from appliance.store import accounts
from appliance.store.accounts import User
from appliance.store.schema import migrate
from appliance.web.setup import GOOD_FOR

MAC = "52:54:00:00:00:01"
LAYOUT = Layout((Interface("nic0", mac=MAC, method="dhcp", roles=("management",)),))


class Helper:
    """Answers verbs as it is told to."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    async def call(self, verb, hears=None):
        self.asked.append(verb)
        answer = self.answers.get(type(verb).__name__, Done())
        if isinstance(answer, Exception):
            raise answer
        return answer


class Person:
    """Gives orders to one Acting."""

    def __init__(self, tmp_path, helper=None, appliance=True):
        self.ran = []

        async def run(argv, seconds=30.0):
            self.ran.append(argv)
            return ""

        (tmp_path / "cmdline").write_text("quiet qrm.appliance=1" if appliance else "quiet")
        (tmp_path / "appliance.toml").write_text(f'[site]\nstate_dir = "{tmp_path}"\n')
        places = Places(
            configs=(tmp_path / "appliance.toml",),
            command_line=tmp_path / "cmdline",
            record=tmp_path / "record.json",
            seed_problem=tmp_path / "seed-problem",
            start_problem=tmp_path / "start-problem",
            attempts=tmp_path / "run/attempts.json",
            sys=tmp_path / "sys",
            qrm_disks=tmp_path / "disks",
        )
        computer = Computer(Roots.below(tmp_path / "roots"), run)
        self.acting = Acting(Gatherer(places, computer), self.lend, helper or Helper(), computer, tmp_path / "stick")
        self.said = []
        self.lent = 0

    async def lend(self, use):
        self.lent += 1
        await use()

    async def orders(self, order):
        return await self.acting.carry(order, FACTS, self.said.append)


def test_every_order_has_somebody_who_carries_it_out():
    every = {each for each in vars(orders).values() if isinstance(each, type) and issubclass(each, Order)}
    assert set(ACTS) == every - {Order, orders.Repaint, orders.Cancel}, "the last two are for the screen itself"


# -- the privileged helper


@pytest.mark.parametrize(
    ("order", "verb"),
    [
        (orders.MakeLink(), RestartUnit("appliance.service")),
        (orders.Restart(), Reboot()),
        (orders.SwitchOff(), PowerOff()),
        (orders.FactoryReset(), Factory()),
        (orders.KeepNetwork(), network.Confirm()),
        (orders.RevertNetwork(), network.Revert()),
    ],
)
async def test_what_changes_the_system_is_a_verb(tmp_path, order, verb):
    person = Person(tmp_path)
    assert isinstance(await person.orders(order), Finished)
    assert person.acting.helper.asked == [verb]


async def test_logs_are_read_by_the_helper(tmp_path):
    person = Person(tmp_path, Helper(Lines=LastLines(["one", "two"])))
    assert await person.orders(orders.ReadLog("chrony.service")) == orders.LogRead("clock", ("one", "two"))


@pytest.mark.parametrize("error", [missing(), ApplianceError("helper-down", "it does not run", "look")])
async def test_without_a_helper_the_same_verb_is_carried_out_here(tmp_path, monkeypatch, error):
    monkeypatch.setattr(act, "running_as_root", lambda: True)
    person = Person(tmp_path, Helper(Reboot=error))
    assert isinstance(await person.orders(orders.Restart()), Finished)
    assert person.ran == [["systemctl", "--no-block", "reboot"]]


@pytest.mark.parametrize(("appliance", "root"), [(False, True), (True, False)])
async def test_a_computer_that_was_not_flashed_is_left_alone(tmp_path, monkeypatch, appliance, root):
    monkeypatch.setattr(act, "running_as_root", lambda: root)
    person = Person(tmp_path, Helper(Reboot=missing()), appliance=appliance)
    failed = await person.orders(orders.Restart())
    assert isinstance(failed, Failed)
    assert "no privileged helper" in failed.message
    assert person.ran == []


async def test_a_helper_that_dies_in_the_middle_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(act, "running_as_root", lambda: True)
    person = Person(tmp_path, Helper(Reboot=ApplianceError("helper-gone", "it ended in the middle", "look")))
    assert await person.orders(orders.Restart()) == Failed("it ended in the middle", "look")
    assert person.ran == []


async def test_a_defect_is_told_and_the_screen_goes_on(tmp_path):
    failed = await Person(tmp_path, Helper(Reboot=KeyError("x"))).orders(orders.Restart())
    assert "KeyError" in failed.message


FIXED = Layout((Interface("nic0", mac=MAC, method="static", addresses=("10.0.0.2/24",), roles=("management",)),))
STATUS = network.NetworkStatus(LAYOUT, None, None, ())
TRY = orders.TryNetwork(LAYOUT, FIXED, ("nic0: 10.0.0.2/24",))


async def test_settings_are_tried_and_told(tmp_path):
    person = Person(tmp_path, Helper(Status=STATUS, Apply=network.Trial(FIXED, 777.0)))
    assert await person.orders(TRY) == NetworkTried(777.0, TRY.told)
    assert person.acting.helper.asked[-1] == network.Apply(FIXED)


async def test_what_the_helper_refuses_is_told_with_its_field(tmp_path):
    refused = Conflict("network-same", "the network is like this already", "change something first", "method")
    person = Person(tmp_path, Helper(Status=STATUS, Apply=refused))
    assert await person.orders(TRY) == Failed("the network is like this already", "change something first", "method")


async def test_networks_that_somebody_else_has_changed_are_left_alone(tmp_path):
    """What was agreed to was said of those of before."""
    person = Person(tmp_path, Helper(Status=network.NetworkStatus(FIXED, None, None, ())))
    failed = await person.orders(TRY)
    assert isinstance(failed, Failed)
    assert "somebody has changed the networks meanwhile" in failed.message
    assert person.acting.helper.asked == [network.Status()]


async def test_what_was_agreed_to_is_agreed_to(tmp_path):
    person = Person(tmp_path, Helper(Status=STATUS, Apply=network.Trial(FIXED, 777.0)))
    await person.orders(orders.TryNetwork(LAYOUT, FIXED, (), unserve=True))
    assert person.acting.helper.asked[-1] == network.Apply(FIXED, unserve=True)


async def test_what_the_helper_alone_knows_of_stands_on_the_page_of_the_trial(tmp_path):
    """Where the configuration could not be read here: nobody is kept out for it."""

    class Knowing(Helper):
        async def call(self, verb, hears=None):
            if isinstance(verb, network.Apply) and not verb.unserve:
                raise Conflict("network-unserved", "machines on nic0 would not be served any more", "agree to that")
            return await super().call(verb, hears)

    person = Person(tmp_path, Knowing(Status=STATUS, Apply=network.Trial(FIXED, 777.0)))
    tried = await person.orders(TRY)
    assert tried == NetworkTried(777.0, (*TRY.told, "machines on nic0 would not be served any more"))


async def test_the_list_knows_what_is_served(tmp_path):
    person = Person(tmp_path, Helper(Status=STATUS))
    subnet = '[[subnet]]\ninterface = "nic0"\nranges = ["10.77.0.50-10.77.0.60"]\n'
    config = tmp_path / "appliance.toml"
    config.write_text(f"{config.read_text()}{subnet}")
    found = await person.orders(orders.LookAtNetwork())
    assert (found.layout, [each.interface for each in found.served]) == (LAYOUT, ["nic0"])
    config.write_text("broken")
    assert (await person.orders(orders.LookAtNetwork())).served == ()


class AtTheScreen:
    """The whole screen before a computer of paper on which nothing of the appliance runs: no daemon, and no helper."""

    def __init__(self, tmp_path, monkeypatch):
        monkeypatch.setattr(act, "running_as_root", lambda: True)
        self.net = PaperNetwork(tmp_path / "computer")
        self.there = AtKeys()
        gone = Helper(Status=missing(), Apply=missing(), Confirm=missing(), Revert=missing())
        self.acts = Person(tmp_path, gone)
        self.acts.acting.computer = self.net.computer

    async def obeys(self):
        """Carries out what was asked for."""
        self.there.hears(await self.acts.orders(self.there.order))

    async def tries(self):
        """From the front to a bridge around the first card, on trial."""
        await self.net.boot()
        self.there.presses("enter").chooses("Network settings")
        await self.obeys()
        self.there.sees("nic0 52:54:00:00:00:00").chooses("Make a bridge").presses("down").types("nic0")
        self.there.presses("down", "down", "enter").sees("br0 is made: a bridge of nic0").types("try").presses("enter")
        await self.obeys()
        self.there.sees("The new settings are in use", "br0 is made")
        assert "10-qrm-br0.netdev" in self.net.on
        assert self.net.timer, "it goes back by itself"


async def test_without_daemon_and_helper_a_bridge_is_made_and_kept(tmp_path, monkeypatch):
    screen = AtTheScreen(tmp_path, monkeypatch)
    await screen.tries()
    screen.there.types("keep").presses("enter")
    await screen.obeys()
    screen.there.sees("The new settings are kept.")
    assert screen.net.state.confirmed().named("br0").roles == ("management",)
    assert not screen.net.state.is_trying
    screen.there.presses("enter", "enter").chooses("Network settings")
    await screen.obeys()
    screen.there.sees("br0 bridge of nic0", "in br0")


async def test_without_daemon_and_helper_a_change_is_taken_back_by_hand_and_by_the_timer(tmp_path, monkeypatch):
    screen = AtTheScreen(tmp_path, monkeypatch)
    await screen.tries()
    screen.there.presses("esc")
    await screen.obeys()
    screen.there.sees("The settings of before are in force again.")
    assert "10-qrm-br0.netdev" not in screen.net.on
    screen.there.presses("esc")
    await screen.tries()
    await screen.net.elapse()
    screen.there.waits(61 + time.time() - screen.there.facts.at).sees("Nobody kept the new settings in time")
    assert "10-qrm-br0.netdev" not in screen.net.on
    assert screen.net.state.confirmed().named("br0") is None


async def test_a_network_that_cannot_be_put_on_leaves_the_form_and_goes_back(tmp_path, monkeypatch):
    screen = AtTheScreen(tmp_path, monkeypatch)
    await screen.net.boot()
    before = screen.net.files()
    screen.there.presses("enter").chooses("Network settings")
    await screen.obeys()
    screen.there.chooses("Make a bridge").presses("down").types("nic0").presses("down", "down", "enter")
    screen.net.fails |= {"networkctl reload", "systemctl restart systemd-networkd"}
    screen.there.types("try").presses("enter")
    await screen.obeys()
    screen.there.sees("Make a bridge", "Ports nic0", "! systemctl restart systemd-networkd.service: no")
    screen.net.fails.clear()
    await screen.net.elapse()
    assert screen.net.files() == screen.net.on == before


async def test_a_change_that_waits_for_somebody_comes_first(tmp_path):
    changed = Layout((Interface("nic0", mac=MAC, method="static", addresses=("10.0.0.2/24",), roles=("management",)),))
    status = network.NetworkStatus(LAYOUT, network.Trial(changed, 777.0), None, ())
    tried = await Person(tmp_path, Helper(Status=status)).orders(orders.LookAtNetwork())
    assert isinstance(tried, NetworkTried)
    assert "10.0.0.2/24" in tried.told[0]


# -- people


@pytest.fixture(autouse=True)
def fast_hashes(monkeypatch):
    """What a hash costs is of no interest here."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    for module in (act, act.recovery):
        monkeypatch.setattr(module, "default_hasher", lambda: hasher)


@pytest.fixture
def store(tmp_path):
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        migrate(db)
        accounts.add_user(db, User("ada", "no hash", "admin", 1.0))
        accounts.add_user(db, User("eve", "no hash", "admin", 1.0, disabled=True))


async def test_users_are_listed_with_what_they_are(tmp_path, store):
    seen = await Person(tmp_path).orders(orders.LookAtUsers())
    assert seen.users == (("ada", "admin"), ("eve", "admin, disabled"))


async def test_a_disabled_administrator_gets_no_shell(tmp_path, store):
    person = Person(tmp_path)
    assert isinstance(await person.orders(orders.ResetPassword("eve", "a horse on a bicycle")), Finished)
    failed = await person.orders(orders.OpenShell("eve", "a horse on a bicycle"))
    assert (failed.message, person.lent) == ("name or password is wrong", 0)


async def test_a_name_that_nobody_has_gets_no_shell(tmp_path, store):
    person = Person(tmp_path)
    assert (await person.orders(orders.OpenShell("nobody", ""))).message == "name or password is wrong"
    assert person.lent == 0


async def test_a_store_that_cannot_be_written_to_still_opens_the_shell(tmp_path, store, monkeypatch):
    person = Person(tmp_path)
    await person.orders(orders.ResetPassword("ada", "a horse on a bicycle"))

    def unwritable(*_):
        raise ApplianceError("store-unusable", "disk I/O error")

    monkeypatch.setattr(act.recovery, "note_shell", unwritable)
    person.acting.shell = ("true",)
    assert await person.orders(orders.OpenShell("ada", "a horse on a bicycle")) == Finished()
    assert person.lent == 1


async def test_without_a_store_nobody_gets_a_shell_and_is_told_why(tmp_path):
    person = Person(tmp_path)
    failed = await person.orders(orders.OpenShell("ada", "x"))
    assert "is not there" in failed.message
    assert person.lent == 0


# -- sticks


def test_backups_are_looked_for_on_sticks_only():
    devices = {"blockdevices": [
        {"path": "/dev/sda", "tran": "sata", "children": [{"path": "/dev/sda1", "fstype": "ext4"}]},
        {"path": "/dev/sdb", "tran": "usb", "children": [
            {"path": "/dev/sdb1", "fstype": "vfat", "mountpoints": [None]}, {"path": "/dev/sdb2", "fstype": "swap"},
            {"path": "/dev/sdb3", "fstype": "ext4", "mountpoints": ["/efi"]},
        ]},
        {"path": "/dev/sdc", "tran": "usb", "fstype": "exfat"}, {"path": "/dev/sr0", "rm": True, "fstype": "iso9660"},
    ]}  # fmt: skip
    assert sticks.candidates(json.dumps(devices)) == ["/dev/sdb1", "/dev/sdc", "/dev/sr0"]


async def test_a_stick_is_mounted_read_only_and_let_go(tmp_path, monkeypatch):
    ran = []

    def run(argv, seconds):
        ran.append(argv)
        return json.dumps({"blockdevices": [{"path": "/dev/sdb1", "tran": "usb", "fstype": "vfat"}]})

    monkeypatch.setattr(sticks, "run", run)
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "no.qrmstate").write_bytes(b"no backup")
    assert await Person(tmp_path).orders(orders.LookForBackups()) == orders.BackupsSeen(())
    assert ran[1:] == [
        ["mount", "--options", "ro,nosuid,nodev,noexec", "/dev/sdb1", str(tmp_path / "stick")],
        ["umount", str(tmp_path / "stick")],
    ]


async def test_a_backup_that_is_gone_stops_nothing(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(sticks, "run", lambda argv, seconds: ran.append(argv[0]) or "")
    failed = await Person(tmp_path).orders(orders.RestoreBackup(Backup("/dev/sdb1", "gone.qrmstate", "", False), ""))
    assert isinstance(failed, Failed)
    assert ran == ["mount", "umount"]


# -- installing


DISK = Disk("/dev/sdz", "m", "SN", "", 10**12, 512, "sata", ())


async def test_an_installation_is_told_step_by_step(tmp_path, monkeypatch):
    seen = []

    def install(source, slot, disk, tell, wanted):
        seen.append((source, slot, disk))
        tell(0.5, "copying root-a")

    monkeypatch.setattr(installer, "install", install)
    monkeypatch.setattr(installer, "find_disk", lambda source, disk: disk)
    person = Person(tmp_path)
    monkeypatch.setattr(Gatherer, "source_disk", lambda _: Path("/dev/sdy"))
    done = await person.orders(orders.InstallOnto(DISK))
    assert isinstance(done, Finished)
    assert seen == [(Path("/dev/sdy"), "A", DISK)]
    await asyncio.sleep(0)
    assert orders.Progress(0.5, "copying root-a") in person.said


async def test_who_stops_an_installation_waits_until_it_has_stopped(tmp_path, monkeypatch):
    began, stopped = threading.Event(), []

    def install(source, slot, disk, tell, wanted):
        began.set()
        while wanted():
            continue
        stopped.append(True)
        raise installer.Cancelled("install-cancelled", "it was stopped; the disk does not boot")

    monkeypatch.setattr(installer, "install", install)
    monkeypatch.setattr(installer, "find_disk", lambda source, disk: disk)
    monkeypatch.setattr(Gatherer, "source_disk", lambda _: Path("/dev/sdy"))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Person(tmp_path).orders(orders.InstallOnto(DISK)))
        await in_thread(began.wait)
        task.cancel()
    assert stopped == [True]
    assert task.result().message == "it was stopped; the disk does not boot"


async def test_what_is_no_flashed_appliance_has_nothing_to_install(tmp_path):
    assert "cannot be found" in (await Person(tmp_path).orders(orders.LookAtDisks())).message


# -- looking


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
