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
URLS = {name: f"http://10.77.0.1/boot/{name}" for name in ("snponly.efi", "snponly-arm64.efi")}
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


@pytest.mark.parametrize("server", ["dnsmasq", "dhcpd", "kea"])
def test_a_real_server_with_the_snippet_sends_each_firmware_its_file(tmp_path: Path, server: str) -> None:
    program = [*NAMESPACES, "--kill-child", sys.executable, str(WORLD), server, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()[-4000:]
    offers = json.loads(done.stdout)
    plain = offers.pop("computer")
    assert {name: (each["file"], each["next"], each["class"]) for name, each in offers.items()} == EXPECTED
    assert (plain["file"], plain["class"]) == ("", ""), "what does not boot is told nothing of it"
    assert plain["address"].startswith("10.77.0."), "and gets its address"


@pytest.mark.parametrize("kind", KINDS)
def test_every_snippet_has_every_kind_of_firmware_and_our_addresses(kind: str) -> None:
    made = snippet(replace(SUBNET, boot_port=8080), kind)  # type: ignore[arg-type]
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
