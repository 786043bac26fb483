"""Conversations with the screen: keys and answers in, orders and lines out. No terminal, no computer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screen_person import NOW, SETUP, Person, networks

from appliance.installer.disks import Disk
from appliance.screen.keys import Position
from appliance.screen.menu import CHOICES, FORMS, RESET_WORD, RESTORE_WORD, main
from appliance.screen.orders import (
    Backup,
    BackupsSeen,
    Cancel,
    DisksSeen,
    FactoryReset,
    Failed,
    Finished,
    InstallOnto,
    LogRead,
    LookAtDisks,
    LookAtNetwork,
    LookAtUsers,
    LookForBackups,
    MakeLink,
    NetworkTried,
    OpenShell,
    Progress,
    ReadLog,
    Repaint,
    ResetPassword,
    Restart,
    RestoreBackup,
    RevertNetwork,
    SwitchOff,
    TryNetwork,
    UsersSeen,
)
from appliance.screen.pages import Busy, Confirm, Front, Menu
from appliance.screen.text import Size

STICK = Backup("/dev/sdb1", "rack7.qrmstate", "the state of rack7, of 2026-11-20 12:00", False)


def disk(**changes):
    plain = {
        "path": "/dev/sdb", "model": "Samsung SSD 870", "serial": "S5Y1", "wwn": "", "size": 500 * 10**9,
        "sector_size": 512, "transport": "sata", "holds": (),
    }  # fmt: skip
    return Disk(**plain | changes)


# -- moving about


def test_escape_leads_back_to_the_front_from_everywhere():
    person = Person().presses("enter").chooses("Restart")
    assert isinstance(person.ui.top, Confirm)
    assert person.presses("esc", "ctrl-c", "esc", "esc").ui.top == Front()
    assert person.orders == []


def test_menus_wrap_at_their_ends_and_go_by_number():
    person = Person().presses("enter", "up")
    assert person.ui.top.at == len(person.ui.top.items) - 1
    assert person.presses("down").ui.top.at == 0
    person.presses("pgdn").sees("Factory reset")
    assert person.presses("2").sees("Log").ui.top.title == "Log"


def test_every_choice_of_the_menu_leads_somewhere():
    for setup in ("", SETUP):
        for place, item in enumerate(main(Person(setup=setup, may_install=True).facts).items):
            person = Person(setup=setup, may_install=True).presses("enter", *["down"] * place, "enter")
            assert len(person.ui.pages) == 3, item.label


def test_every_name_of_a_choice_is_in_the_table():
    """And nothing in the tables is out of reach."""
    named = {
        "install",
        "disk",
        "fresh-link",
        "code",
        "network",
        "console",
        "interface",
        "change-interface",
        "make",
        "take-away",
        "nat",
        "log",
        "read-log",
        "users",
        "password",
        "shell",
        "backups",
        "backup",
    }
    assert set(CHOICES) == named | {"restart", "off", "reset"}
    assert set(FORMS) == {"network", "interface", "password", "shell", "backup"}


def test_control_l_draws_anew_and_answers_of_the_terminal_do_nothing():
    person = Person().presses("enter", "ctrl-l", Position(3, 4))
    assert person.order == Repaint()
    assert isinstance(person.ui.top, Menu)


def test_what_is_half_typed_is_forgotten_when_nobody_is_there():
    person = Person().presses("enter").chooses("Shell").types("ada").goes_away()
    assert person.ui.top == Front()
    person.presses("enter").chooses("Shell").sees_no("ada")


@pytest.mark.parametrize("key", ["delete", "home", "ctrl-d", "\t", "x", "日", "left"])
def test_keys_without_a_meaning_have_none(key):
    person = Person()
    assert person.presses(key).ui.pages == (Front(),)
    assert person.presses("enter", key).ui.top == Person().presses("enter").ui.top


# -- power


def test_a_restart_is_asked_once_more():
    person = Person().presses("enter").chooses("Restart").sees("none of them can boot", "Type restart to go on")
    person.presses("enter", "y", "enter", "n").types("restart").presses("enter")
    assert person.orders == []
    assert person.types("restart").presses("enter").order == Restart()
    person.presses("esc").sees("Please wait"), "there is no way back from here"
    person.hears(Finished(("The appliance restarts.",))).sees("The appliance restarts.")


def test_switching_off_that_fails_says_why():
    person = Person().presses("enter").chooses("Switch off").types("switch off").presses("enter")
    assert person.order == SwitchOff()
    person.hears(Failed("no helper", "look at its journal")).sees("no helper", "look at its journal").presses("enter")
    assert person.ui.top.title == "Menu"


def test_a_factory_reset_says_what_is_lost_and_takes_the_whole_word():
    person = Person().presses("enter").chooses("Factory reset")
    person.sees("all accounts and settings", "images and kernels", "Kept is the version", RESET_WORD)
    person.types("y").presses("enter").sees("That is something else. Nothing was done.")
    person.types(RESET_WORD[:-1]).presses("enter")
    assert person.orders == []
    person.types("x").presses("backspace").types(RESET_WORD).presses("enter")
    assert person.order == FactoryReset()


def test_an_expired_link_is_made_anew():
    person = Person(setup=SETUP, setup_expired=True).sees("good for a day, which is over").presses("enter")
    assert person.chooses("Make a fresh").order == MakeLink()
    Person(setup=SETUP).presses("enter").sees_no("Make a fresh")


@settings(max_examples=300)
@given(st.text(alphabet="aeikoprstyY \r123456789xqm", max_size=120))
def test_noise_of_a_line_restarts_nothing(noise):
    """Nor does it keep a network: it looks at most."""
    person = Person(setup=SETUP)
    for letter in noise:
        person.presses("enter" if letter == "\r" else letter)
        while person.orders:
            order = person.orders.pop()
            assert isinstance(order, LookAtNetwork | TryNetwork | RevertNetwork | ReadLog | LookForBackups), order
            if isinstance(order, LookAtNetwork):
                person.hears(networks())
            elif isinstance(order, TryNetwork):
                person.hears(NetworkTried(NOW + 60))
            else:
                person.hears(Finished())


# -- passwords and the shell


def test_a_password_is_reset_without_the_old_one():
    person = Person().presses("enter").chooses("Reset a password")
    assert person.order == LookAtUsers()
    person.hears(UsersSeen((("ada", "admin"), ("vic", "viewer")))).sees("ada · admin", "log-ins of that user end")
    person.presses("down", "enter").sees("The new password of vic")
    person.types("a horse on a bicycle").presses("enter").types("a horse on a tricycle").presses("enter", "enter")
    person.sees("the two are not the same").sees_no("horse", "****")
    assert person.orders == []
    person.types("a horse on a bicycle").presses("enter").types("a horse on a bicycle").presses("enter")
    person.sees("*" * 20).presses("enter")
    assert person.order == ResetPassword("vic", "a horse on a bicycle")
    person.hears(Finished(("vic has a new password.",))).sees("vic has a new password.").presses("enter")
    assert person.ui.top == Front()


def test_nothing_to_reset_before_set_up():
    Person(setup=SETUP).presses("enter").sees_no("Reset a password", "Shell")


def test_the_shell_takes_name_and_password():
    person = Person().presses("enter").chooses("Shell").types("ada").presses("enter").types("secret").sees("******")
    person.sees_no("secret").presses("enter", "enter")
    order = person.order
    assert order == OpenShell("ada", "secret")
    assert "secret" not in repr(order)
    person.hears(Failed("name or password is wrong", "a lost password is reset in the menu", "name"))
    person.sees("name or password is wrong", "ada").sees_no("******")
    person.presses("down").types("right").presses("enter", "enter").hears(Finished())
    assert person.ui.top == Front()


def test_a_shell_needs_a_name():
    person = Person().presses("enter").chooses("Shell").presses("up", "enter").sees("the name is missing")
    assert person.orders == []


# -- logs


def test_logs_begin_with_what_is_broken():
    person = Person().presses("enter").chooses("Log")
    assert [item.value for item in person.ui.top.items] == [
        "chrony.service",
        "appliance.service",
        "ssh.service",
        "kernel",
    ]
    person.presses("enter")
    assert person.order == ReadLog("chrony.service")
    person.hears(LogRead("clock", tuple(f"line {number}" for number in range(100))))
    person.sees("line 99", "100 of 100 lines").presses("pgup").sees("line 61").sees_no("line 99")
    person.presses("home").sees("line 0").presses(*["up"] * 50, "down").sees("line 1").sees_no("line 0 ")
    person.presses("end").sees("line 99").presses("esc").sees("Of what?")


def test_long_lines_of_a_log_are_broken_and_clean():
    person = Person().presses("enter").chooses("Log").presses("enter")
    person.hears(LogRead("clock", ("word " * 40 + "end", "\x1b[31mred"))).sees("end", "?[31mred")


def test_an_empty_log_says_so():
    Person().presses("enter").chooses("Log").presses("enter").hears(LogRead("clock", ())).sees("nothing in it")


# -- backups


def test_a_backup_is_restored_from_a_stick():
    person = Person().presses("enter").chooses("Restore a backup")
    assert person.order == LookForBackups()
    person.hears(BackupsSeen((STICK,))).sees("rack7.qrmstate · the state of rack7").presses("enter")
    person.sees("The present state is moved aside", RESTORE_WORD).types(RESTORE_WORD).presses("enter")
    assert person.order == RestoreBackup(STICK, "")
    person.hears(Progress(None, "reading the backup")).sees("reading the backup")
    person.hears(Finished(("This is the state of rack7 again.",))).sees("This is the state of rack7 again.")


def test_an_encrypted_one_asks_for_its_passphrase():
    sealed = Backup("/dev/sdb1", "x.qrmstate", "about", True)
    person = Person().presses("enter").chooses("Restore").hears(BackupsSeen((sealed,))).presses("enter")
    person.sees("encrypted").presses("down", "enter").sees("the passphrase is missing")
    person.types("open sesame").presses("enter", "enter").types(RESTORE_WORD).presses("enter")
    assert person.orders[-1] == RestoreBackup(sealed, "open sesame")
    assert "sesame" not in repr(person.orders)
    person.hears(Failed("the passphrase is wrong")).sees("the passphrase is wrong", "Passphrase")


def test_without_a_backup_it_is_said_where_they_are_looked_for():
    person = (
        Person().presses("enter").chooses("Restore").hears(BackupsSeen(())).sees("No backup was found", ".qrmstate")
    )
    assert person.presses("enter", "down", "1").sees("No backup was found").ui.top.items == ()


# -- the installer


def test_the_installer_is_there_on_a_stick_only():
    assert Person().presses("i").orders == []
    assert Person(may_install=True).sees("I: install onto a disk").presses("i").order == LookAtDisks()
    for columns in (40, 60, 80):
        Person(size=Size(columns, 24), may_install=True, setup="").sees("Press I to install it onto a disk.")
        Person(size=Size(columns, 24), urls=()).sees("not reachable: no address (Enter, Network settings)")


def chosen(*disks):
    person = Person(may_install=True).presses("i")
    person.orders.clear()
    return person.hears(DisksSeen(disks))


def test_an_empty_disk_is_asked_for_once():
    person = chosen(disk()).sees("Samsung SSD 870, serial S5Y1, 500.0 GB · empty").presses("enter")
    assert person.sees("Nothing known is on it").types("install").presses("enter").order == InstallOnto(disk())


def test_a_disk_with_data_takes_its_serial_number():
    full = disk(holds=("sdb1: 537.0 MB, FAT 'EFI'", "sdb2: 100.0 GB, LVM physical volume", "  vg-root: 20.0 GB, ext4"))
    person = chosen(full).sees("holds data").presses("enter")
    person.sees("All of this is lost", "LVM physical volume", "vg-root: 20.0 GB", "Type S5Y1 to go on")
    person.types("y").presses("enter").types("s5y1").presses("enter").sees("Nothing was done")
    assert person.orders == []
    assert person.types("S5Y1").presses("enter").order == InstallOnto(full)


def test_a_disk_that_cannot_be_used_says_why():
    person = chosen(disk(refused="it is in use: mounted at /srv")).sees("it is in use").presses("enter")
    person.sees("This cannot be chosen: it is in use: mounted at /srv")
    assert person.orders == []


def test_progress_is_shown_and_it_can_be_stopped():
    person = chosen(disk()).presses("enter").types("install").presses("enter")
    person.orders.clear()
    person.hears(Progress(0.42, "copying root-a: 40 of 100 MiB")).sees(" 42%", "copying root-a", "Esc: stop it")
    assert person.presses("esc").order == Cancel()
    person.sees("stopping").presses("esc")
    assert person.orders == [], "once is enough"
    person.hears(Failed("the installation was stopped; the disk does not boot")).sees("does not boot")


def test_on_a_small_terminal_the_line_to_type_in_is_in_sight():
    full = disk(holds=tuple(f"sdb{number}: 1.0 GB, ext4" for number in range(8)))
    person = Person(size=Size(60, 12), may_install=True).presses("i").hears(DisksSeen((full,))).presses("enter")
    person.types("S5").sees("Install onto a disk", "Type S5Y1 to go on", "> S5_")


def test_many_things_on_a_disk_leave_room_for_the_word():
    full = disk(holds=tuple(f"sdb{number}: 1.0 GB, ext4" for number in range(30)))
    chosen(full).presses("enter").sees("and 22 more", "Type S5Y1 to go on")


# -- what comes late


def test_an_outcome_that_nobody_waits_for_disturbs_nobody():
    person = Person().presses("enter").chooses("Network settings")
    person.ui = person.ui.popped()
    before = person.ui
    assert person.hears(networks()).ui == before


def test_who_waits_for_a_look_may_leave_it():
    person = Person().presses("enter").chooses("Network settings")
    person.orders.clear()
    assert isinstance(person.ui.top, Busy)
    assert person.presses("esc").order == Cancel()
    person.hears(Failed("it was stopped")).presses("enter")
    assert person.ui.top.title == "Menu"
