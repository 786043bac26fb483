"""What each kind of firmware is sent, and what a choice changes of that."""

from dataclasses import replace

import pytest
from dhcp_playbook import MAC, SUBNET, Playbook

from appliance.netboot.dhcp.options import Code
from appliance.netboot.dhcp.responder import Responder

ADDRESS = str(SUBNET.address.ip)


def options(architecture: int, vendor: bytes = b"PXEClient") -> dict[int, bytes]:
    named = vendor + f":Arch:{architecture:05d}:UNDI:003001".encode()
    return {Code.VENDOR_CLASS: named, Code.ARCHITECTURE: architecture.to_bytes(2, "big")}


def told(play: Playbook, asked: dict[int, bytes]) -> tuple[str, str, bytes]:
    """Boot file, next server, and option 60 of the OFFER; the ACK says the same."""
    (offer,) = play.discover(options=asked)
    (ack,) = play.select(offer.yiaddr, options=asked)
    name = offer.options.get(Code.BOOT_FILE, b"").decode()
    assert ack.options.get(Code.BOOT_FILE, b"").decode() == name
    return name, str(offer.siaddr), offer.options.get(Code.VENDOR_CLASS, b"")


@pytest.mark.parametrize(
    ("architecture", "file"), [(0, "undionly.kpxe"), (7, "snponly.efi"), (9, "snponly.efi"), (11, "snponly-arm64.efi")]
)
def test_by_pxe(architecture: int, file: str) -> None:
    assert told(Playbook(), options(architecture)) == (file, ADDRESS, b"")


@pytest.mark.parametrize(
    ("architecture", "file"), [(0x0F, "snponly.efi"), (0x10, "snponly.efi"), (0x13, "snponly-arm64.efi")]
)
def test_by_http(architecture: int, file: str) -> None:
    name, _, vendor = told(Playbook(), options(architecture, b"HTTPClient"))
    assert (name, vendor) == (f"http://{ADDRESS}/boot/{file}", b"HTTPClient")


@pytest.mark.parametrize("architecture", [6, 2, 27, 99])
def test_where_there_is_none_no_file_is_named(architecture: int) -> None:
    assert told(Playbook(), options(architecture))[0] == ""


def test_a_choice_is_followed_by_pxe_and_by_http() -> None:
    play = Playbook()
    play.responder = Responder(
        [SUBNET], is_known=lambda mac: False, choose=lambda mac, *_: {MAC: "shimx64.efi"}.get(mac)
    )
    assert told(play, options(7))[0] == "shimx64.efi"
    assert told(play, options(0x10, b"HTTPClient"))[0] == f"http://{ADDRESS}/boot/shimx64.efi"


def test_none_can_be_chosen_and_the_address_is_given_all_the_same() -> None:
    play = Playbook()
    play.responder = Responder([replace(SUBNET)], is_known=lambda mac: False, choose=lambda *_: None)
    (offer,) = play.discover(options=options(7))
    assert Code.BOOT_FILE not in offer.options
    assert str(offer.yiaddr).startswith("10.77.0.")


def test_ipxe_is_sent_its_script_whatever_is_chosen() -> None:
    play = Playbook()
    play.responder = Responder([SUBNET], is_known=lambda mac: False, choose=lambda *_: None)
    (offer,) = play.discover(options=options(7) | {Code.USER_CLASS: b"iPXE"})
    assert offer.options[Code.BOOT_FILE].decode().startswith(f"http://{ADDRESS}/boot/script?mac=")
