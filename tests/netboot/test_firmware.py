"""Who is asking, and what it boots: one case for each kind of firmware that exists in the field."""

from dataclasses import replace
from ipaddress import IPv4Interface
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.dhcp.options import Code
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.firmware import Firmware, boot_file, classify

SUBNET = Subnet(interface="br0", address=IPv4Interface("10.77.0.1/24"))
MAC = "52:54:00:aa:bb:01"
SCRIPT = "http://10.77.0.1/boot/script?mac=52-54-00-aa-bb-01&uuid=${uuid}"

PXE = {Code.VENDOR_CLASS: b"PXEClient:Arch:00000:UNDI:002001"}
HTTP = {Code.VENDOR_CLASS: b"HTTPClient:Arch:00016:UNDI:003001"}
QEMU_IPXE_FEATURES = bytes.fromhex(
    "b105018086100e1801012301011501012701011301011101011901012801011001021401010000eb0301 0000".replace(" ", "")
)


def arch(*codes: int) -> dict[int, bytes]:
    return {Code.ARCHITECTURE: b"".join(code.to_bytes(2, "big") for code in codes)}


@pytest.mark.parametrize(
    ("options", "firmware", "file"),
    [
        (PXE | arch(0), Firmware.BIOS, "undionly.kpxe"),
        (PXE, Firmware.BIOS, "undionly.kpxe"),
        ({Code.VENDOR_CLASS: b"PXEClient"}, Firmware.BIOS, "undionly.kpxe"),
        (PXE | arch(7), Firmware.UEFI_X64, "snponly.efi"),
        (PXE | arch(9), Firmware.UEFI_X64, "snponly.efi"),
        ({Code.VENDOR_CLASS: b"PXEClient:Arch:00007:UNDI:003016"}, Firmware.UEFI_X64, "snponly.efi"),
        (PXE | arch(11), Firmware.UEFI_ARM64, "snponly-arm64.efi"),
        (PXE | arch(6), Firmware.UEFI_IA32, None),
        (PXE | arch(27), Firmware.UNKNOWN, None),
        (PXE | arch(99, 7), Firmware.UEFI_X64, "snponly.efi"),
        (PXE | arch(16, 7), Firmware.UEFI_X64, "snponly.efi"),
        (HTTP | arch(16), Firmware.HTTP_X64, "http://10.77.0.1/boot/snponly.efi"),
        (HTTP | arch(15), Firmware.HTTP_X64, "http://10.77.0.1/boot/snponly.efi"),
        (HTTP | arch(7), Firmware.HTTP_X64, "http://10.77.0.1/boot/snponly.efi"),
        (HTTP, Firmware.HTTP_X64, "http://10.77.0.1/boot/snponly.efi"),
        (HTTP | arch(19), Firmware.HTTP_ARM64, "http://10.77.0.1/boot/snponly-arm64.efi"),
        (HTTP | arch(0), Firmware.BIOS, None),
        ({}, Firmware.NONE, None),
        (arch(7), Firmware.NONE, None),
        ({Code.VENDOR_CLASS: b"MSFT 5.0"}, Firmware.NONE, None),
    ],
)
def test_firmware_and_its_file(options: dict[int, bytes], firmware: Firmware, file: str | None) -> None:
    client = classify(options)
    assert client.firmware is firmware
    boot = boot_file(client, SUBNET, MAC)
    assert (boot.name if boot else None) == file


@pytest.mark.parametrize(
    "marks",
    [
        {Code.USER_CLASS: b"iPXE"},
        {Code.USER_CLASS: b"\x04iPXE"},
        {Code.USER_CLASS: b"\x05other\x04iPXE"},
        {Code.USER_CLASS: b"gPXE"},
        {Code.IPXE: b""},
        {Code.IPXE: b"\xff\xff\xff"},
        {Code.IPXE: QEMU_IPXE_FEATURES},
        {Code.USER_CLASS: b"iPXE", Code.IPXE: QEMU_IPXE_FEATURES},
    ],
)
@pytest.mark.parametrize("base", [PXE | arch(0), PXE | arch(7), HTTP | arch(16), PXE | arch(99), {}])
def test_ipxe_gets_the_script_and_is_never_told_to_load_itself(base: dict[int, bytes], marks: dict[int, bytes]) -> None:
    client = classify(base | marks)
    assert client.is_ipxe
    boot = boot_file(client, SUBNET, MAC)
    assert boot is not None
    assert boot.name.startswith(SCRIPT)
    assert boot.next_server == SUBNET.address.ip


def test_ipxe_without_http_gets_a_build_that_has_it() -> None:
    client = classify(PXE | arch(0) | {Code.IPXE: b"\x11\x01\x01\x15\x01\x01"})
    boot = boot_file(client, SUBNET, MAC)
    assert boot is not None
    assert boot.name == "undionly.kpxe"


@pytest.mark.parametrize("user_class", [b"", b"\x00", b"\x04", b"\xffiPXE", b"xiPXE", b"Debian"])
def test_other_user_classes_are_not_ipxe(user_class: bytes) -> None:
    assert not classify(PXE | {Code.USER_CLASS: user_class}).is_ipxe


def test_script_url_fits_one_option_with_the_longest_address_and_port() -> None:
    subnet = replace(SUBNET, address=IPv4Interface("192.168.200.254/24"), boot_port=65535)
    boot = boot_file(classify({Code.IPXE: b""}), subnet, MAC)
    assert boot is not None
    assert boot.name.startswith("http://192.168.200.254:65535/boot/script?")
    assert len(boot.name) <= 255


def test_only_http_clients_get_a_vendor_class() -> None:
    http, pxe = (boot_file(classify(options), SUBNET, MAC) for options in (HTTP | arch(16), PXE | arch(7)))
    assert http is not None
    assert pxe is not None
    assert (http.vendor_class, http.next_server) == (b"HTTPClient", None)
    assert (pxe.vendor_class, pxe.next_server) == (b"", SUBNET.address.ip)


class TestUuid:
    text = UUID("12345678-9abc-def0-1122-334455667788")
    smbios = bytes.fromhex("78563412bc9af0de1122334455667788")

    def test_is_read_in_the_order_that_dmidecode_prints(self) -> None:
        assert classify({Code.CLIENT_UUID: b"\0" + self.smbios}).uuid == self.text

    @pytest.mark.parametrize(
        "option",
        [b"", b"\0", b"\0" + smbios[:15], b"\0" + smbios + b"x", b"\1" + smbios, bytes(17), b"\0" + b"\xff" * 16],
    )
    def test_placeholders_and_other_shapes_are_nothing(self, option: bytes) -> None:
        assert classify({Code.CLIENT_UUID: option}).uuid is None


architectures = st.lists(st.sampled_from([0, 6, 7, 9, 11, 15, 16, 19, 99]), max_size=3)
vendors = st.sampled_from([b"PXEClient", b"HTTPClient"]).flatmap(
    lambda client: architectures.map(
        lambda codes: client + b"".join(b":Arch:%05d:UNDI:003016" % code for code in codes)
    )
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            Code.VENDOR_CLASS: vendors | st.binary(max_size=255),
            Code.ARCHITECTURE: architectures.map(lambda codes: b"".join(code.to_bytes(2, "big") for code in codes))
            | st.binary(max_size=8),
            Code.USER_CLASS: st.binary(max_size=255) | st.just(b"iPXE"),
            Code.CLIENT_UUID: st.binary(max_size=20),
            Code.IPXE: st.binary(max_size=40),
        },
    )
)
def test_no_options_of_any_client_raise_and_urls_never_go_to_plain_pxe(options: dict[int, bytes]) -> None:
    client = classify(options)
    assert client.vendor_class.isprintable()
    boot = boot_file(client, SUBNET, MAC)
    if boot is not None and not client.ipxe_has_http:
        by_http = options.get(Code.VENDOR_CLASS, b"").startswith(b"HTTPClient")
        assert ("://" in boot.name) == by_http, "a URL to HTTPClient, a name of TFTP's to all others"
