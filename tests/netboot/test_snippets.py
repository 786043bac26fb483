"""Boot options for other people's DHCP servers: real servers run them and are asked as each kind of firmware."""

import json
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.snippets import KINDS, snippet

WORLD = Path(__file__).parent / "snippet_world.py"
NAMESPACES = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--mount-proc", "--pid", "--fork"]
SUBNET = Subnet("br0", IPv4Interface("10.77.0.1/24"))
OURS = "10.77.0.1"
SCRIPT = ("http://10.77.0.1/boot/start.ipxe", OURS, "")
URLS = {name: f"http://10.77.0.1/boot/{name}" for name in ("snponly.efi", "snponly-arm64.efi", "shimx64.efi")}
EXPECTED = {
    "bios": ("undionly.kpxe", OURS, ""),
    "uefi": ("snponly.efi", OURS, ""),
    "uefi-bc": ("snponly.efi", OURS, ""),
    "uefi-list": ("snponly.efi", OURS, ""),
    "arm64": ("snponly-arm64.efi", OURS, ""),
    "http": (URLS["snponly.efi"], OURS, "HTTPClient"),
    "http-list": (URLS["snponly.efi"], OURS, "HTTPClient"),
    "http-old": (URLS["snponly.efi"], OURS, "HTTPClient"),
    "http-asks-not": (URLS["snponly.efi"], OURS, "HTTPClient"),
    "http-arm64": (URLS["snponly-arm64.efi"], OURS, "HTTPClient"),
    "ipxe-bios": SCRIPT,
    "ipxe-uefi": SCRIPT,
    "ipxe-prefixed": SCRIPT,
    "ipxe-only-175": SCRIPT,
}
"""File, next server, vendor class."""
SIGNED = {
    name: ({"snponly.efi": "shimx64.efi", URLS["snponly.efi"]: URLS["shimx64.efi"]}.get(file, file), *others)
    for name, (file, *others) in EXPECTED.items()
}
"""The same for Secure Boot: nothing differs but what UEFI on x86-64 loads."""


@pytest.mark.parametrize(("form", "expected"), [("usual", EXPECTED), ("secure-boot", SIGNED)])
@pytest.mark.parametrize("server", ["dnsmasq", "dhcpd", "kea"])
def test_a_real_server_with_the_snippet_sends_each_firmware_its_file(
    tmp_path: Path, server: str, form: str, expected: dict[str, tuple[str, str, str]]
) -> None:
    program = [*NAMESPACES, "--kill-child", sys.executable, str(WORLD), server, str(tmp_path), form]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()[-4000:]
    offers = json.loads(done.stdout)
    plain = offers.pop("computer")
    assert {name: (each["file"], each["next"], each["class"]) for name, each in offers.items()} == expected
    assert (plain["file"], plain["class"]) == ("", ""), "what does not boot is told nothing of it"
    assert plain["address"].startswith("10.77.0."), "and gets its address"


@pytest.mark.parametrize("kind", KINDS)
def test_every_snippet_has_every_kind_of_firmware_and_our_addresses(kind: str) -> None:
    made = snippet(replace(SUBNET, boot_port=8080), kind)
    for needed in ("undionly.kpxe", "snponly.efi", "snponly-arm64.efi", ":8080/boot/start.ipxe", OURS):
        assert needed in made.text, needed
    assert f"http://{OURS}:8080/boot/snponly-arm64.efi" in made.text
    assert "HTTPClient" in made.text
    assert made.title
    assert made.where.endswith(".")


def test_a_router_takes_the_matcher_of_ipxe_first() -> None:
    text = snippet(SUBNET, "mikrotik").text
    matchers = text[text.index("/ip dhcp-server matcher") :].splitlines()[1:]
    assert "code=77" in matchers[0]
    assert all("code=60" in each for each in matchers[1:-2])
    assert 'value="PXEClient:Arch:00007"' in text
    assert "set [find where address=10.77.0.0/24] next-server=10.77.0.1" in text


@pytest.mark.parametrize("kind", KINDS)
def test_for_secure_boot_uefi_loads_shim_and_nothing_that_is_not_signed(kind: str) -> None:
    text = snippet(SUBNET, kind, secure_boot=True).text
    assert "snponly.efi" not in text
    for needed in ("shimx64.efi", URLS["shimx64.efi"], "undionly.kpxe", "snponly-arm64.efi"):
        assert needed in text, needed
    usual = snippet(SUBNET, kind).text
    assert usual.replace("snponly.efi", "shimx64.efi") == text


@pytest.mark.parametrize(
    ("program", "kind", "instead_of"),
    [
        ("shimx64.efi", "kea", "snponly.efi"),
        ("ipxe.efi", "dnsmasq", "snponly.efi"),
        ("ipxe.pxe", "dhcpd", "undionly.kpxe"),
    ],
)
def test_what_the_subnet_sends_first_stands_in_its_snippet(program: str, kind: str, instead_of: str) -> None:
    usual = snippet(SUBNET, kind).text
    text = snippet(replace(SUBNET, boot_program=program), kind).text
    assert text == usual.replace(instead_of, program)
