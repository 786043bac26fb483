"""Which boot program firmware is sent, and what becomes of those that do not start."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest

from appliance.bootprogram import CHOICES, PROGRAMS
from appliance.netboot.dhcp.facts import DhcpSeen
from appliance.netboot.dhcp.options import MessageKind
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.firmware import Client, Firmware
from appliance.netboot.tftp.facts import TftpFinished
from appliance.reconcile.boot_programs import REMEMBERED, BootPrograms
from appliance.reconcile.known import BootsWith
from appliance.reconcile.rounds import LONGEST_GAP, SILENT_SECONDS, STOP_SECONDS

MAC = "52:54:00:00:00:01"
SUBNET = Subnet("br0", IPv4Interface("10.77.0.1/24"))
ADDRESS = "10.77.0.50"


def client(firmware, *, is_http=False):
    return Client(None, firmware, not is_http, is_http, False, False, None, "")


BIOS, UEFI, HTTP = client(Firmware.BIOS), client(Firmware.UEFI_X64), client(Firmware.HTTP_X64, is_http=True)


class World:
    """One machine, its firmware, and what is told of it."""

    def __init__(self):
        self.now = 1_000_000.0
        self.known = BootsWith()
        self.told = []
        self.subnets = [SUBNET]
        self.programs = BootPrograms(
            lambda mac: self.known,
            lambda address: MAC if address == IPv4Address(ADDRESS) else None,
            lambda mac, kind, text, reason="": self.told.append((kind, text, reason)),
            lambda: self.now,
            self.subnets,
        )

    def asks(self, who=UEFI, subnet=SUBNET, mac=MAC):
        """A DISCOVER and its REQUEST: the program that both are answered with."""
        self.now += 60.0
        first = self.programs.choose(mac, who, subnet)
        assert self.programs.choose(mac, who, subnet) == first
        return first

    def loads(self, who=UEFI, subnet=SUBNET):
        """Asks, and fetches what it was sent."""
        program = self.asks(who, subnet)
        if program is not None and who.is_http:
            self.programs.http(ADDRESS, f"/boot/{program}")
        elif program is not None:
            self.programs.tftp(TftpFinished(ADDRESS, program, 1, 0.1))
        return program

    def ipxe(self):
        """iPXE asks for an address."""
        seen = DhcpSeen(MAC, MessageKind.DISCOVER, Firmware.UEFI_X64, 7, True, None, None, "br0", self.now)
        self.programs.dhcp(seen)

    def kinds(self):
        return [kind for kind, _, _ in self.told]


@pytest.fixture
def world():
    return World()


def test_the_usual_program_for_each_firmware(world):
    assert world.asks(BIOS) == "undionly.kpxe"
    assert world.asks(UEFI) == "snponly.efi"
    assert world.asks(HTTP) == "snponly.efi"
    assert world.asks(client(Firmware.UEFI_ARM64)) == "snponly-arm64.efi"
    assert world.asks(client(Firmware.UEFI_IA32)) is None
    assert world.told == []


@pytest.mark.parametrize("choice", CHOICES)
def test_a_users_choice_counts_where_it_fits_the_firmware(world, choice):
    world.known = BootsWith("node-1", choice)
    fits = PROGRAMS[choice].firmware
    assert world.asks(UEFI) == (choice if fits == "uefi" else "snponly.efi")
    assert world.asks(BIOS) == (choice if fits == "bios" else "undionly.kpxe")


def test_a_machine_whose_inventory_tells_of_secure_boot_is_sent_shim(world):
    world.known = BootsWith("node-1", "", True)
    assert world.loads() == "shimx64.efi"
    world.programs.script(MAC)
    assert world.loads() == "shimx64.efi"
    assert world.told == []


def test_a_subnets_program_comes_first_where_it_fits(world):
    subnet = replace(SUBNET, boot_program="shimx64.efi")
    assert world.asks(UEFI, subnet) == "shimx64.efi"
    assert world.asks(BIOS, subnet) == "undionly.kpxe"


def test_an_unknown_machine_with_secure_boot_is_sent_shim_once_it_refused_ipxe(world):
    assert world.loads() == "snponly.efi"
    assert world.loads() == "shimx64.efi"
    [(kind, text, reason)] = world.told
    assert kind == "program.refused"
    assert text == f"{MAC} fetched snponly.efi and did not start it; it is sent shimx64.efi next"
    assert "Secure Boot" in reason
    world.programs.script(MAC)
    assert world.asks() == "snponly.efi", "what it started is nothing that it refuses: only the inventory tells"


def test_the_same_over_http(world):
    """OVMF with Secure Boot refuses what it fetched by TFTP, and goes on with HTTP."""
    assert world.loads(UEFI) == "snponly.efi"
    assert world.loads(HTTP) == "shimx64.efi"


def test_a_program_that_was_not_fetched_whole_is_not_blamed(world):
    assert [world.asks() for _ in range(5)] == ["snponly.efi"] * 5
    assert world.told == []


def test_a_program_that_starts_is_not_blamed(world):
    for _ in range(2):
        assert world.loads() == "snponly.efi"
        world.ipxe()
        world.programs.script(MAC)
    assert world.loads() == "snponly.efi"
    assert world.told == []


def test_three_rounds_without_a_start_are_explained_once_and_the_firmware_is_left_to_its_next_entry(world):
    assert [world.loads() for _ in range(3)] == ["snponly.efi", "shimx64.efi", "ipxe.efi"]
    assert world.asks() is None
    assert world.kinds() == ["program.refused", "program.refused", "machine.looping"]
    _, text, reason = world.told[-1]
    assert text == f"{MAC} loads its boot program over and over: 3 rounds in 2 minutes, and none started"
    assert "tried: snponly.efi, shimx64.efi, ipxe.efi" in reason
    assert "10 minutes" in reason
    assert world.loads() is None
    assert len(world.told) == 3


def test_after_a_while_it_is_tried_anew(world):
    for _ in range(4):
        world.loads()
    world.now += STOP_SECONDS
    assert world.loads() == "snponly.efi"
    assert world.loads() == "shimx64.efi"


def test_another_choice_ends_the_stop_at_once(world):
    for _ in range(4):
        world.loads()
    assert world.asks() is None
    world.known = BootsWith("node-1", "ipxe.efi")
    assert world.asks() == "ipxe.efi"


def test_a_chosen_program_is_stopped_after_three_rounds_too(world):
    world.known = BootsWith("node-1", "snponly.efi")
    assert [world.loads() for _ in range(4)] == ["snponly.efi"] * 3 + [None]
    assert world.kinds() == ["machine.looping"]
    assert world.told[0][1].startswith("node-1 loads its boot program over and over")


def test_ipxe_that_never_fetches_its_script_is_named_and_not_stopped(world):
    for _ in range(6):
        assert world.loads() == "snponly.efi"
        world.ipxe()
    assert world.kinds() == ["machine.looping"]
    assert "no boot script" in world.told[0][1]
    assert "portfast" in world.told[0][2]


def test_shim_that_fetched_grub_runs_and_is_sent_again(world):
    """GRUB asks for ever; whoever presses the button meanwhile has no machine that refuses shim."""
    assert world.loads() == "snponly.efi"
    for _ in range(4):
        assert world.loads() == "shimx64.efi"
        world.programs.tftp(TftpFinished(ADDRESS, "grubx64.efi", 1, 0.1))
    assert world.kinds() == ["program.refused", "machine.looping"]
    assert "3 rounds in 3 minutes, and no boot script" in world.told[1][1]
    assert "no answer by HTTP" in world.told[1][2]


def test_grub_alone_says_nothing_of_another_program(world):
    world.loads()
    world.programs.http(ADDRESS, "/boot/grubx64.efi")
    assert world.asks() == "shimx64.efi"


def test_a_machine_that_is_switched_on_each_morning_is_in_no_loop(world):
    for _ in range(5):
        world.loads()
        world.now += LONGEST_GAP + 8 * 3600
    assert "machine.looping" not in world.kinds()


ELSEWHERE = IPv4Address("10.77.0.99")


def says_it_holds(world, address, mac=MAC, interface="br0"):
    asks = (mac, MessageKind.REQUEST, Firmware.UEFI_X64, 7, False, None, None, interface, world.now)
    world.programs.dhcp(DhcpSeen(*asks, holds=address))


@pytest.mark.parametrize("mode", ["proxy", "reservations"])
def test_an_address_that_another_server_gave_is_learnt(world, mode):
    world.subnets[:] = [replace(SUBNET, mode=mode)]
    assert world.asks() == "snponly.efi"
    says_it_holds(world, ELSEWHERE)
    world.programs.tftp(TftpFinished(str(ELSEWHERE), "snponly.efi", 1, 0.1))
    assert world.asks() == "shimx64.efi"


def test_what_another_server_gave_counts_no_longer_once_we_give_the_addresses(world):
    world.subnets[:] = [replace(SUBNET, mode="proxy")]
    says_it_holds(world, IPv4Address(ADDRESS), "02:00:00:00:00:99")
    assert world.programs.whose(ADDRESS) == "02:00:00:00:00:99"
    world.subnets[:] = [SUBNET]
    assert world.programs.whose(ADDRESS) == MAC


def test_nobody_takes_an_address_that_we_gave_by_saying_so(world):
    stranger = "02:00:00:00:00:99"
    says_it_holds(world, IPv4Address(ADDRESS), stranger)
    assert world.programs.whose(ADDRESS) == MAC
    other = Subnet("br1", IPv4Interface("10.88.0.1/24"), mode="proxy")
    world.subnets.append(other)
    says_it_holds(world, IPv4Address(ADDRESS), stranger, "br1")
    assert world.programs.whose(ADDRESS) == MAC, "nor through a network that it does not belong to"
    says_it_holds(world, IPv4Address("10.88.0.9"), stranger, "br1")
    assert world.programs.whose("10.88.0.9") == stranger


def test_other_files_and_other_computers_change_nothing(world):
    world.asks()
    world.programs.tftp(TftpFinished(ADDRESS, "grub/grub.cfg", 1, 0.1))
    world.programs.tftp(TftpFinished("10.77.0.51", "snponly.efi", 1, 0.1))
    world.programs.http("not an address", "/boot/snponly.efi")
    assert world.asks() == "snponly.efi"


def test_made_up_interfaces_take_bounded_memory(world):
    for number in range(REMEMBERED + 10):
        mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        world.programs._holder = lambda _address, mac=mac: mac
        world.programs.tftp(TftpFinished(ADDRESS, "snponly.efi", 1, 0.1))
    assert len(world.programs._rounds) <= REMEMBERED


def test_firmware_that_stands_in_its_menu_after_it_refused_a_program_is_told_of_once(world):
    assert world.loads() == "snponly.efi"
    world.now += SILENT_SECONDS - 1
    world.programs.look()
    assert world.told == []
    world.now += 1
    world.programs.look()
    world.programs.look()
    [(kind, text, reason)] = world.told
    assert kind == "program.silent"
    assert text == f"{MAC} fetched snponly.efi, and nothing was heard of it for a minute"
    assert "Access Denied" in reason
    assert reason.endswith("restart the machine, it is sent shimx64.efi then")
    assert world.loads() == "shimx64.efi", "it was restarted"
    assert world.kinds() == ["program.silent", "program.refused"]
    world.now += SILENT_SECONDS
    world.programs.look()
    assert world.told[-1][2] == "look at its screen, and restart it: it is sent ipxe.efi then"


def test_a_program_that_was_chosen_for_a_machine_and_stays_silent_is_to_be_chosen_anew(world):
    world.known = BootsWith("node-1", "snponly.efi")
    world.loads()
    world.now += SILENT_SECONDS
    world.programs.look()
    assert world.told == [("program.silent", "node-1 fetched snponly.efi, and nothing was heard of it for a minute",
                           "look at its screen, and choose another boot program for it")]  # fmt: skip


@pytest.mark.parametrize("heard", [World.ipxe, lambda world: world.programs.script(MAC)])
def test_a_program_that_is_heard_of_is_not_silent(world, heard):
    world.loads()
    heard(world)
    world.now += SILENT_SECONDS
    world.programs.look()
    assert world.told == []


def test_who_fetches_a_program_and_never_asked_for_one_is_no_firmware(world):
    world.programs.tftp(TftpFinished(ADDRESS, "snponly.efi", 1, 0.1))
    world.now += SILENT_SECONDS
    world.programs.look()
    assert world.told == []
