"""Settings of power switches: what is taken, and what is refused with the field that is wrong."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Invalid
from appliance.power_switch import (
    ABILITIES,
    DEFAULT_PORTS,
    FIELDS,
    REQUIRED,
    SECRET_REQUIRED,
    SECRETS,
    Ability,
    PowerKind,
    PowerSettings,
    abilities,
    check_secret,
    checked,
    parse_kind,
    port_of,
)

MANUAL, WAKE, IPMI, REDFISH, LIBVIRT = PowerKind
GOOD = {
    MANUAL: PowerSettings(MANUAL),
    WAKE: PowerSettings(WAKE, "192.0.2.255", 7),
    IPMI: PowerSettings(IPMI, "192.0.2.10", 0, "root", cipher_suite=3, privilege="operator"),
    REDFISH: PowerSettings(REDFISH, "bmc1.example", 8443, "root", "1", "ab" * 32),
    LIBVIRT: PowerSettings(LIBVIRT, "qemu+ssh://root@host1/system", system="web1"),
}


@pytest.mark.parametrize("kind", PowerKind)
def test_every_kind_takes_what_it_reads_and_nothing_else(kind):
    assert checked(GOOD[kind]) == GOOD[kind]
    for other in set(PowerSettings.__dataclass_fields__) - {"kind", *FIELDS[kind]}:
        with pytest.raises(Invalid) as caught:
            checked(replace(GOOD[kind], **{other: 1 if other in ("port", "cipher_suite") else "x"}))
        assert (caught.value.code, caught.value.field) == ("power-field-unused", other)


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind in PowerKind for field in REQUIRED[kind]])
def test_what_a_kind_needs(kind, field):
    with pytest.raises(Invalid) as caught:
        checked(replace(GOOD[kind], **{field: " "}))
    assert (caught.value.code, caught.value.field) == ("power-field-missing", field)


def test_the_tables_know_every_kind():
    for table in (ABILITIES, FIELDS, REQUIRED):
        assert set(table) == set(PowerKind)
    assert set(SECRET_REQUIRED) <= set(SECRETS)
    assert abilities(WAKE) == {Ability.ON}
    assert all(Ability.OBSERVE in each for each in ABILITIES.values() if Ability.OFF in each), "fencing looks"


@pytest.mark.parametrize(
    "address",
    ["-oProxyCommand=x", "a b", "a;b", "http://x", "0.0.0.0", "::", "fe80::1%eth0", "x" * 300, "a..b", "10.0.0.300"],
)
def test_an_address_is_an_address_or_a_name(address):
    with pytest.raises(Invalid) as caught:
        checked(replace(GOOD[IPMI], address=address))
    assert caught.value.field == "address"


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "bmc", "bmc-1.mgmt.example"])
def test_addresses_that_are_taken(address):
    assert checked(replace(GOOD[IPMI], address=f" {address} ")).address == address


@pytest.mark.parametrize(
    "address",
    [
        "qemu+ssh://root@host/system?command=/bin/sh",
        "qemu+ssh://-oProxyCommand=x/system",
        "qemu+ext:///system?command=x",
        "qemu+tcp://host/system",
        "qemu:///system?socket=relative",
        "qemu:///system\nx",
        "host1",
        "test:///default",
    ],
)
def test_hosts_of_vms_carry_no_commands_and_no_plain_text(address):
    with pytest.raises(Invalid) as caught:
        checked(replace(GOOD[LIBVIRT], address=address))
    assert (caught.value.code, caught.value.field) == ("power-address-invalid", "address")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (IPMI, "port", 65536),
        (IPMI, "port", -1),
        (IPMI, "cipher_suite", 1),
        (IPMI, "cipher_suite", -3),
        (IPMI, "user", "seventeen-letters"),
        (IPMI, "user", "tab\tbed"),
        (IPMI, "privilege", "oem"),
        (REDFISH, "user", "a:b"),
        (REDFISH, "system", "-x"),
        (REDFISH, "system", "a/b"),
        (REDFISH, "fingerprint", "ab" * 20),
        (LIBVIRT, "system", "--help"),
        (LIBVIRT, "system", "a\nb"),
    ],
)
def test_what_cannot_be(kind, field, value):
    with pytest.raises(Invalid) as caught:
        checked(replace(GOOD[kind], **{field: value}))
    assert caught.value.field == field
    assert caught.value.message


def test_no_suite_without_a_password():
    """Cipher suite 0 lets everybody in, as far too many controllers do."""
    assert 0 not in {each for each in range(1, 20) if _takes(each)}
    assert not {each for each in range(1, 20) if _takes(each)} & {1, 2, 6, 7, 11, 15, 16}


def _takes(suite):
    try:
        return checked(replace(GOOD[IPMI], cipher_suite=suite)).cipher_suite == suite
    except Invalid:
        return False


def test_fingerprints_in_every_usual_spelling():
    said = ":".join(["AB"] * 32)
    assert checked(replace(GOOD[REDFISH], fingerprint=said)).fingerprint == "ab" * 32


@pytest.mark.parametrize(
    ("kind", "secret", "code"),
    [
        (MANUAL, "x", "power-secret-unused"),
        (LIBVIRT, "x", "power-secret-unused"),
        (IPMI, "", "power-secret-missing"),
        (REDFISH, "", "power-secret-missing"),
        (IPMI, "x" * 21, "power-secret-invalid"),
        (IPMI, "ü" * 11, "power-secret-invalid"),
        (IPMI, "hunter2\n", "power-secret-invalid"),
        (REDFISH, "a\0b", "power-secret-invalid"),
        (WAKE, "hunter2", "power-secret-invalid"),
    ],
)
def test_secrets_that_cannot_work_are_refused_and_not_repeated(kind, secret, code):
    with pytest.raises(Invalid) as caught:
        check_secret(kind, secret)
    assert (caught.value.code, caught.value.field) == (code, "secret")
    assert len(secret) < 3 or secret.strip() not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("kind", "secret"), [(MANUAL, ""), (WAKE, ""), (WAKE, "00:11:22:aa:bb:cc"), (IPMI, "x" * 20), (REDFISH, "pä ß:'")]
)
def test_secrets_that_are_taken(kind, secret):
    assert check_secret(kind, secret) == secret


def test_kinds_and_ports():
    assert parse_kind("wake-on-lan") is WAKE
    with pytest.raises(Invalid, match="no kind of power switch"):
        parse_kind("hammer")
    assert port_of(PowerSettings(IPMI)) == DEFAULT_PORTS[IPMI] == 623
    assert port_of(PowerSettings(IPMI, port=1)) == 1


_text = st.text(max_size=60)


@given(kind=st.sampled_from(PowerKind), address=_text, user=_text, system=_text, fingerprint=_text, privilege=_text)
def test_whatever_is_typed_is_taken_or_refused_by_name(kind, address, user, system, fingerprint, privilege):
    made = tried(PowerSettings(kind, address, 0, user, system, fingerprint, 0, privilege))
    if isinstance(made, str):
        assert made in PowerSettings.__dataclass_fields__
    else:
        assert checked(made) == made
        assert not made.address.startswith("-")
        assert not made.system.startswith("-")


def tried(settings):
    """The settings as they are taken, or the field that was refused."""
    try:
        return checked(settings)
    except Invalid as error:
        return error.field
