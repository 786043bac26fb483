"""What observations are judged to mean: tables of them."""

import dataclasses
from ipaddress import IPv4Interface

import pytest

from appliance.probe.finding import Finding, Status, exit_code
from appliance.probe.judge.names import names
from appliance.probe.judge.neighbours import gateway, holder
from appliance.probe.judge.offers import offers
from appliance.probe.judge.path import largest, path
from appliance.probe.judge.servers import boot_server, servers
from appliance.probe.judge.spanning_tree import spanning_tree
from appliance.probe.judge.transfers import fetch, transfer
from appliance.probe.kinds import BY_NAME, KINDS
from appliance.probe.observed import Answer, Bounce, Bpdu, Fetch, Heard, Interface, Offer, PathMtu, Transfer
from appliance.probe.recognise import appliance_of, base_url

OURS, THEIRS = "10.77.0.1", "10.77.0.2"
SCRIPT = f"http://{OURS}/boot/script?mac=02-00-00-00-00-01&uuid=${{uuid}}"
OK, WARNING, FAILED, SKIPPED = Status
GOOD = {
    "plain": "",
    "bios": "undionly.kpxe",
    "uefi-x64": "snponly.efi",
    "uefi-x64-9": "snponly.efi",
    "http-x64": f"http://{OURS}/boot/snponly.efi",
    "uefi-arm64": "snponly-arm64.efi",
    "http-arm64": f"http://{OURS}/boot/snponly-arm64.efi",
    "ipxe": SCRIPT,
}


def offer(kind="plain", server=OURS, file="", address="10.77.0.50", mac="02:00:00:00:00:01", after=0.1):
    vendor = "HTTPClient" if kind.startswith("http") else ""
    return Offer(kind, server, mac, after, address, "255.255.255.0", boot_file=file, vendor_class=vendor)


def ours(address="10.77.0.50"):
    return [offer(kind, file=file, address=address) for kind, file in GOOD.items()]


def theirs(file="", address="10.77.0.150"):
    return offer("bios", THEIRS, file, address, "02:00:00:00:00:02")


def heard(*found):
    return Heard(6.0, tuple(found))


@pytest.mark.parametrize(
    ("found", "told", "appliance"),
    [
        ([], None, None),
        (ours(), None, OURS),
        ([*ours(), theirs("pxelinux.0")], None, OURS),
        ([theirs("pxelinux.0")], None, None),
        ([theirs("pxelinux.0")], OURS, OURS),
        ([theirs()], None, None),
        ([theirs("a"), offer(file="b")], None, None),
        ([offer(file=SCRIPT), dataclasses.replace(theirs(), boot_file=f"http://{THEIRS}/boot/script")], None, None),
        ([offer(file="http://[broken/boot/script"), theirs()], None, None),
    ],
)
def test_the_appliance_is_known_by_its_script(found, told, appliance):
    assert appliance_of(found, told) == appliance


def test_where_the_appliance_serves_http():
    assert base_url(ours()) == f"http://{OURS}"
    assert base_url([theirs("pxelinux.0")]) is None


@pytest.mark.parametrize(
    ("found", "appliance", "told", "statuses", "words"),
    [
        ([], None, False, [FAILED], "no DHCP server answered"),
        (ours(), OURS, False, [OK], "is the appliance"),
        ([*ours(), theirs()], OURS, False, [OK, FAILED], "foreign DHCP server: 10.77.0.2 (02:00:00:00:00:02)"),
        ([*ours(""), theirs()], OURS, False, [OK, OK], "adds boot files as a proxy"),
        ([*ours(""), theirs("pxelinux.0")], OURS, False, [OK, FAILED], "foreign"),
        ([*ours(), theirs("x", "")], OURS, False, [OK, FAILED], "boot files and no addresses, as a proxy"),
        ([theirs()], None, False, [OK, FAILED], "no server offers a boot file"),
        ([theirs("a")], None, False, [OK, FAILED], "10.77.0.2 offers boot files, and not those of an appliance"),
        ([theirs("a"), offer(file="b")], None, False, [FAILED, FAILED, FAILED], "several servers offer boot files"),
        ([theirs()], OURS, True, [OK, FAILED], "the appliance 10.77.0.1 offered nothing"),
        (
            [*ours(""), theirs(), offer(server="10.77.0.3", mac="02:00:00:00:00:03")],
            OURS,
            False,
            [OK, FAILED, FAILED],
            "one of several",
        ),
    ],
)
def test_servers(found, appliance, told, statuses, words):
    findings = servers(heard(*found), appliance, told=told)
    assert [each.status for each in findings] == statuses
    assert any(words in each.text for each in findings), [each.text for each in findings]
    assert all(each.reason and each.hint for each in findings if each.status is FAILED)


@pytest.mark.parametrize(
    ("answer", "status"), [(offer(file="undionly.kpxe"), OK), (offer(file=""), FAILED), (None, FAILED)]
)
def test_a_proxy_has_to_answer_on_its_own_port(answer, status):
    assert boot_server(OURS, answer).status is status


def test_good_offers():
    findings = offers(ours())
    assert {each.status for each in findings} == {OK}
    assert len(findings) == len(KINDS) - 1


@pytest.mark.parametrize(
    ("kind", "file", "status", "words"),
    [
        ("bios", "", FAILED, "an address, and no boot file"),
        ("bios", None, FAILED, "no offer at all"),
        ("bios", "snponly.efi", FAILED, "which is for UEFI"),
        ("bios", "http://x/undionly.kpxe", FAILED, "told to load the URL"),
        ("uefi-x64", "undionly.kpxe", FAILED, "not for UEFI"),
        ("uefi-x64-9", None, FAILED, "no offer"),
        ("http-x64", "snponly.efi", FAILED, "which is no URL"),
        ("uefi-arm64", None, WARNING, "no offer"),
        ("http-arm64", "", WARNING, "no boot file"),
        ("ipxe", "undionly.kpxe", FAILED, "told to load undionly.kpxe again"),
        ("ipxe", "boot.ipxe", OK, "boot.ipxe from 10.77.0.1"),
    ],
)
def test_offers_that_firmware_cannot_use(kind, file, status, words):
    found = [each for each in ours() if each.kind != kind] + ([] if file is None else [offer(kind, file=file)])
    judged = {each.details["kind"]: each for each in offers(found)}
    assert (judged[kind].status, words in judged[kind].text) == (status, True), judged[kind]
    assert {each.status for name, each in judged.items() if name != kind} == {OK}


def test_http_boot_wants_its_vendor_class_back():
    found = [dataclasses.replace(each, vendor_class="") for each in ours() if each.kind == "http-x64"]
    judged = next(each for each in offers(found) if each.details["kind"] == "http-x64")
    assert "does not say HTTPClient" in judged.text


def test_a_slow_offer():
    (slow,) = [each for each in offers([offer("bios", file="a.kpxe", after=3.5)]) if "BIOS" in each.text]
    assert slow.status is WARNING


def test_kinds_say_what_firmware_says():
    assert BY_NAME["http-x64"].vendor_class == b"HTTPClient:Arch:00016:UNDI:003016"
    assert BY_NAME["bios"].vendor_class == b"PXEClient:Arch:00000:UNDI:003016"
    assert BY_NAME["plain"].vendor_class == b""
    assert {kind.architecture for kind in KINDS} == {None, 0, 7, 9, 11, 16, 19}


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (Transfer(OURS, "f", 1_000_000, 0.9, 1468), OK, "blocks of 1468"),
        (Transfer(OURS, "f", 1_000_000, 60.0, 512), WARNING, "blocks of 512"),
        (Transfer(OURS, "f"), FAILED, "empty"),
        (Transfer(OURS, "f", trouble="missing"), FAILED, "does not have it"),
        (Transfer(OURS, "f", trouble="refused"), FAILED, "nothing listens"),
        (Transfer(OURS, "f", trouble="silent"), FAILED, "no answer"),
        (Transfer(OURS, "f", 512, 6.0, trouble="stalled"), FAILED, "stopped"),
        (Transfer(OURS, "f", trouble="denied"), FAILED, "refused it"),
        (Transfer(OURS, "f", trouble="other", words="?"), FAILED, "failed"),
    ],
)
def test_transfers(seen, status, words):
    found = transfer(seen)
    assert (found.status, words in found.text) == (status, True), found.text


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (Fetch("u", 200, 10, 10, partly=False, head=10), OK, "10 bytes"),
        (Fetch("u", 206, 80_000_000, 16_000_000, 0.5), OK, "of 80000000 bytes in 0.50 s, 32 MB/s"),
        (Fetch("u", 206, 80_000_000, 16_000_000, 4.0), WARNING, "slow"),
        (Fetch("u", 200, 10, 10, partly=False), FAILED, "HEAD"),
        (Fetch("u", 200, 10, 4, partly=False, head=10, trouble="other"), FAILED, "broke off after 4"),
        (Fetch("u", 302), FAILED, "redirected"),
        (Fetch("u", 404), FAILED, "HTTP status 404"),
        (Fetch("u", trouble="refused"), FAILED, "nothing listens"),
        (Fetch("u", trouble="silent"), FAILED, "no answer"),
        (Fetch("u", trouble="other"), FAILED, "no usable answer"),
    ],
)
def test_fetches(seen, status, words):
    found = fetch(seen)
    assert (found.status, words in found.text) == (status, True), found.text


NAME, REVERSE = "appliance.lab.test", "1.0.77.10.in-addr.arpa"
PTR = [Answer(OURS, transport, REVERSE, "PTR", "NOERROR", (NAME,)) for transport in ("udp", "tcp")]
FORWARD = [Answer(OURS, transport, NAME, "A", "NOERROR", (OURS,)) for transport in ("udp", "tcp")]


@pytest.mark.parametrize(
    ("answers", "statuses", "words"),
    [
        ([*PTR, *FORWARD], [OK, OK, OK], "both ways"),
        ([*PTR, *FORWARD, Answer(OURS, "udp", "r", "PTR", "NXDOMAIN")], [OK, OK, OK], "both ways"),
        ([*PTR, *FORWARD, Answer(OURS, "udp", "r", "PTR", "SERVFAIL")], [FAILED, OK, OK], "says SERVFAIL over UDP"),
        ([PTR[0], Answer(OURS, "tcp", REVERSE, "PTR", words="refused")], [OK, FAILED, OK], "does not answer (refused)"),
        ([dataclasses.replace(each, code="", values=()) for each in PTR], [FAILED, FAILED], "does not answer"),
        (
            [dataclasses.replace(each, code="NXDOMAIN", values=()) for each in PTR],
            [OK, OK, WARNING],
            "has no name for 10.77.0.1",
        ),
        (
            [*PTR, dataclasses.replace(FORWARD[0], values=("192.0.2.1",))],
            [OK, OK, FAILED],
            "does not say that appliance.lab.test is 10.77.0.1",
        ),
    ],
)
def test_names(answers, statuses, words):
    findings = names(OURS, OURS, answers)
    assert [each.status for each in findings] == statuses
    assert any(words in each.text for each in findings), [each.text for each in findings]


@pytest.mark.parametrize("limit", [576, 577, 1000, 1300, 1499, 1500, 9000])
def test_the_largest_packet_is_found(limit):
    tried = []

    def passes(size):
        tried.append(size)
        return size <= limit

    assert largest(1500, passes) == min(limit, 1500)
    assert len(tried) < 15


def test_a_server_that_answers_no_ping():
    assert largest(1500, lambda _: False) is None


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (PathMtu(OURS, 1500, 1500), OK, "up to 1500"),
        (PathMtu(OURS, 9000, 1500), OK, "up to 1500"),
        (PathMtu(OURS, 1500, 1300), FAILED, "vanish"),
        (PathMtu(OURS, 1500, 1300, "10.77.0.9"), FAILED, "10.77.0.9 says so"),
        (PathMtu(OURS, 1400, 1400), WARNING, "up to 1400"),
        (PathMtu(OURS, 1500, None), SKIPPED, "answers no ping"),
    ],
)
def test_paths(seen, status, words):
    found = path(seen)
    assert (found.status, words in found.text) == (status, True), found.text


def test_which_tftp_blocks_are_lost():
    found = path(PathMtu(OURS, 1500, 1300))
    assert found.details["largest_tftp_block"] == 1268
    assert "more than 1268 bytes" in found.reason


def bpdu(version=0, flags=0, delay=15.0):
    return Bpdu("02:00:00:00:00:0b", "02:00:00:00:00:0a", version, flags, delay, 2.0)


DESIGNATED, LEARNING, FORWARDING = 0x0C, 0x10, 0x20


@pytest.mark.parametrize(
    ("said", "bounce", "statuses", "words"),
    [
        (None, None, [OK], "no switch speaks"),
        (bpdu(), None, [WARNING], "speaks spanning tree on this port, forward delay 15 s: unless"),
        (bpdu(2, DESIGNATED | LEARNING | FORWARDING), None, [WARNING], "rapid spanning tree"),
        (bpdu(2, DESIGNATED | LEARNING), None, [FAILED], "the port is designated and does not forward yet"),
        (bpdu(), Bounce(0.4, True), [OK, OK], "first DHCP answer 0.4 s"),
        (bpdu(), Bounce(30.5, True), [OK, FAILED], "two forward delays are 30 s: portfast is likely missing"),
        (bpdu(delay=4.0), Bounce(8.5, True), [OK, WARNING], "portfast is likely missing"),
        (None, Bounce(30.5, True), [FAILED], "portfast is likely missing"),
        (None, Bounce(70.0, False), [FAILED], "no DHCP answer within 70 s"),
        (None, Bounce(1.0, True), [OK], "1.0 s after"),
    ],
)
def test_spanning_trees(said, bounce, statuses, words):
    findings = spanning_tree(Heard(6.0, (), (said,) if said else ()), bounce)
    assert [each.status for each in findings] == statuses
    assert any(words in each.text for each in findings), [each.text for each in findings]


@pytest.mark.parametrize(
    ("macs", "offered_by", "status", "words"),
    [
        (["a"], ["a"], OK, "nowhere else"),
        (["a"], [], OK, "nowhere else"),
        ([], ["a"], FAILED, "nobody answers"),
        (["a", "b"], ["a"], FAILED, "used by a and b"),
        (["b"], ["a"], FAILED, "used by a and b"),
    ],
)
def test_holders(macs, offered_by, status, words):
    found = holder(OURS, macs, offered_by)
    assert (found.status, words in found.text) == (status, True), found.text


def test_gateways():
    assert gateway("10.77.0.254", ["a"]).status is OK
    assert gateway("10.77.0.254", []).status is FAILED


def one(status):
    return Finding("dhcp", status, "")


@pytest.mark.parametrize(
    ("statuses", "reachable", "whole", "code"),
    [
        ([OK, WARNING, SKIPPED], True, True, 0),
        ([OK, FAILED], True, True, 1),
        ([OK], True, False, 1),
        ([FAILED], False, True, 3),
        ([], True, True, 0),
    ],
)
def test_exit_codes(statuses, reachable, whole, code):
    assert exit_code([one(each) for each in statuses], reachable=reachable, whole=whole) == code


def test_the_address_that_the_server_is_asked_from():
    two = Interface("e", "m", 1500, True, (IPv4Interface("192.0.2.1/24"), IPv4Interface("10.77.0.9/24")))
    assert two.source_for(OURS) == "10.77.0.9"
    assert two.source_for("198.51.100.1") == "192.0.2.1"
    assert Interface("e", "m", 1500, True).source_for(OURS) is None
