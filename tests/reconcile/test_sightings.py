"""How far a computer came, and why not further."""

from dataclasses import replace
from ipaddress import IPv4Interface

import pytest
from msgspec import structs

from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile.sightings import likely_cause
from appliance.sighting import ROUND_SECONDS, STAGE_TEXTS, Sighting, Stage, merged

MAC = "52:54:00:00:00:01"
SUBNET = Subnet("br0", IPv4Interface("10.77.0.1/24"))
NOW = 10_000.0
LAST = NOW - 1000.0


def sighting(stage, firmware="bios", **said):
    """A computer that was heard of last a while ago."""
    boots = 0.0 if firmware == "none" else LAST
    values = {"served": True, "boots_at": boots, "address": "10.77.0.60", **said}
    return Sighting(MAC, "br0", LAST - 50, LAST, stage, LAST, firmware=firmware, **values)


ORDINARY = sighting(Stage.LEASED, "none")
RESERVING = replace(SUBNET, mode="reservations")
PROXY = replace(SUBNET, mode="proxy")
IGNORING = replace(SUBNET, unknown_machines="ignore")
TO_DISK = replace(SUBNET, unknown_machines="local-disk")
CHOSE = {"other_server": "10.77.0.9", "other_at": LAST}

CASES = [
    (ORDINARY, None, "nothing is served on br0 any more", "[[subnet]]"),
    (ORDINARY, replace(SUBNET, mode="off"), 'its mode is "off"', "another mode"),
    (ORDINARY, SUBNET, "does not network-boot: the system on it", "before the disk"),
    (structs.replace(ORDINARY, boots_at=LAST - 5000), SUBNET, "its own system runs now", "before the disk"),
    (
        structs.replace(ORDINARY, served=False),
        replace(SUBNET, serve_non_pxe=False),
        "serve_non_pxe is off",
        "serve_non_pxe",
    ),
    (structs.replace(ORDINARY, served=False), PROXY, "another server gives it its address", "network boot"),
    (sighting(Stage.ASKED, served=False), RESERVING, "none is reserved", f"reservations add {MAC}"),
    (sighting(Stage.LEASED), IGNORING, 'unknown_machines = "ignore"', "enlist"),
    (sighting(Stage.SCRIPT, script="next"), IGNORING, 'unknown_machines = "ignore"', "enlist"),
    (sighting(Stage.SCRIPT, script="next"), TO_DISK, 'unknown_machines = "local-disk"', "enlist"),
    (sighting(Stage.OFFERED, **CHOSE), SUBNET, "the address that 10.77.0.9 offered", "proxy"),
    (sighting(Stage.IPXE, **CHOSE), SUBNET, "the address that 10.77.0.9 offered", "proxy"),
    (sighting(Stage.IPXE, "none", boots_at=LAST - 30, **CHOSE), SUBNET, "never fetched its boot script", "TCP port 80"),
    (sighting(Stage.OFFERED, **CHOSE), PROXY, "never asked for it by TFTP", "UDP port 69"),
    (sighting(Stage.ASKED, trouble="exhausted", trouble_at=LAST), SUBNET, "no address was left on br0", "widen"),
    (
        sighting(Stage.ASKED, trouble="port-full", trouble_at=LAST, reason="10.78.0.1/eth3"),
        SUBNET,
        "port 10.78.0.1/eth3 of a relay has as many addresses as it may",
        "leases_per_port",
    ),
    (sighting(Stage.SCRIPT, trouble="crowded", trouble_at=LAST), SUBNET, "too many new machines", "by itself"),
    (
        sighting(Stage.LEASED, trouble="tftp-failed", trouble_at=LAST, file="snponly.efi", reason="it went silent"),
        SUBNET,
        "snponly.efi could not be fetched by TFTP: it went silent",
        "UDP port 69",
    ),
    (sighting(Stage.ASKED), SUBNET, "no offer was made", "events"),
    (sighting(Stage.ASKED, "uefi-ia32", architecture=6), SUBNET, "no boot program for its kind", "64-bit"),
    (sighting(Stage.LEASED, "unknown", architecture=99), SUBNET, "(architecture 0x63)", "64-bit"),
    (sighting(Stage.OFFERED), SUBNET, "offered 10.77.0.60 and never took it", "another DHCP server"),
    (sighting(Stage.LEASED), SUBNET, "never asked for it by TFTP", "firewall"),
    (sighting(Stage.LEASED, "http-x64"), SUBNET, "never asked for it by HTTP", "TCP port 80"),
    (sighting(Stage.PROGRAM, "uefi-x64", file="snponly.efi"), SUBNET, "fetched snponly.efi", "Secure Boot"),
    (sighting(Stage.PROGRAM, file="undionly.kpxe"), SUBNET, "iPXE was not heard of", "spanning tree"),
    (sighting(Stage.IPXE), SUBNET, "never fetched its boot script", "spanning tree"),
    (sighting(Stage.SCRIPT, script="stack"), SUBNET, "not the maintenance stack", "screen"),
    (sighting(Stage.SCRIPT, script="none"), SUBNET, "no maintenance stack for its processor", "unknown_machines"),
    (sighting(Stage.SCRIPT, script="disk"), SUBNET, "on to its own disk", "restart"),
    (sighting(Stage.STACK), SUBNET, "the agent in it was not heard of", "memory"),
    (sighting(Stage.AGENT), SUBNET, "never sent the inventory", "screen"),
]


@pytest.mark.parametrize(("seen", "subnet", "text", "hint"), CASES)
def test_likely_cause(seen, subnet, text, hint):
    said = likely_cause(seen, subnet, NOW)
    assert text in said[0], said
    assert hint in said[1], said


def test_every_stage_has_a_text_and_a_cause():
    assert set(STAGE_TEXTS) == set(Stage)
    assert len({likely_cause(sighting(stage), SUBNET, NOW)[0] for stage in Stage}) == len(Stage)


def test_a_boot_that_goes_on_is_given_time():
    seen = sighting(Stage.STACK)
    assert "seconds ago" in likely_cause(seen, SUBNET, LAST + 200)[0]
    assert "not heard of" in likely_cause(seen, SUBNET, LAST + 300)[0]
    assert "never" in likely_cause(sighting(Stage.IPXE), SUBNET, LAST + 61)[0]


def test_a_system_that_starts_after_a_boot_that_failed_does_not_hide_it():
    firmware = sighting(Stage.LEASED)
    system = structs.replace(sighting(Stage.LEASED, "none"), first=LAST + 40, last=LAST + 40, stage_at=LAST + 40)
    both = merged(firmware, system)
    assert "never asked for it by TFTP" in likely_cause(both, SUBNET, LAST + 500)[0]
    renewed = structs.replace(system, last=LAST + 5000, stage_at=LAST + 5000)
    assert "its own system runs now" in likely_cause(merged(both, renewed), SUBNET, LAST + 6000)[0]


def test_trouble_that_is_over_does_not_count():
    first = sighting(Stage.ASKED, trouble="exhausted", trouble_at=LAST)
    later = structs.replace(sighting(Stage.OFFERED), stage_at=LAST + 10, last=LAST + 10)
    assert "never took it" in likely_cause(merged(first, later), SUBNET, NOW)[0]


class TestMerged:
    def test_the_furthest_stage_of_a_boot_stays(self):
        far, near = sighting(Stage.SCRIPT), sighting(Stage.ASKED)
        assert merged(far, structs.replace(near, last=LAST + ROUND_SECONDS)).stage is Stage.SCRIPT

    def test_a_later_boot_that_ends_earlier_is_what_there_is_to_know(self):
        far = sighting(Stage.SCRIPT)
        at = LAST + ROUND_SECONDS + 1
        assert merged(far, structs.replace(sighting(Stage.ASKED), last=at, stage_at=at)).stage is Stage.ASKED

    def test_counts_add_and_what_is_not_said_stays(self):
        old = sighting(Stage.ASKED, asked=2, hostname="printer", vendor_class="PXEClient:Arch:00000")
        new = Sighting(MAC, "", LAST + 1, LAST + 1, Stage.OFFERED, LAST + 1, offered=1)
        both = merged(old, new)
        assert (both.asked, both.offered, both.interface, both.hostname) == (2, 1, "br0", "printer")
        assert (both.vendor_class, both.served, both.first) == ("PXEClient:Arch:00000", True, LAST - 50)


def test_who_got_no_answer_while_service_is_held_back_is_told_why():
    unserved = structs.replace(sighting(Stage.ASKED), served=False)
    text, hint = likely_cause(unserved, SUBNET, NOW, ("10.77.0.2",))
    assert "no new addresses are given on br0 while another DHCP server, 10.77.0.2, answers" in text
    assert "proxy" in hint
    assert "10.77.0.2" not in likely_cause(sighting(Stage.IPXE), SUBNET, NOW, ("10.77.0.2",))[0], "it was answered"
