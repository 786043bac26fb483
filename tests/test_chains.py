"""A certificate is checked before it is used, and who brought it hears what is wrong."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from appliance.chains import LARGEST, covers, read_chain, warnings
from appliance.errors import Invalid
from tests.chains import DAY, NOW, Signed, cert_pem, certificate, key_pem, new_key, rsa_key


def test_a_good_one_is_read() -> None:
    signed = Signed()
    for pem in (
        signed.pem,
        signed.pem + cert_pem(signed.root),
        b"Bag Attributes\n" + signed.pem.replace(b"\n", b"\r\n"),
    ):
        chain = read_chain(pem, signed.key_pem, NOW)
        assert chain.names == ("boot.example.com", "192.0.2.1")
        assert chain.ends == NOW + 90 * DAY
    assert read_chain(signed.key_pem + signed.pem, b"", NOW).own == signed.own, "one file with both"
    again = read_chain(chain.pem, b"", NOW)
    assert again.own == signed.own, "what is stored is read again"


def test_keys_of_both_kinds() -> None:
    signed = Signed(key=rsa_key(), signs=True)
    assert read_chain(signed.pem, signed.key_pem, NOW).key_words == "RSA, 2048 bits"
    signed = Signed(key=ec.generate_private_key(ec.SECP384R1()))
    assert read_chain(signed.pem, signed.key_pem, NOW).key_words == "EC, P-384"


def test_one_that_signed_itself_does() -> None:
    key = new_key()
    own = certificate("own", key, names=("boot.example.com",))
    assert read_chain(cert_pem(own), key_pem(key), NOW).own == own


SIGNED = Signed()
OTHER = Signed()


@pytest.mark.parametrize(
    ("pem", "key", "code", "field"),
    [
        (b"", SIGNED.key_pem, "certificate-missing", "certificate_pem"),
        (b"hello", SIGNED.key_pem, "certificate-missing", "certificate_pem"),
        (SIGNED.pem, b"", "key-missing", "key_pem"),
        (SIGNED.pem, b"hello", "key-missing", "key_pem"),
        (SIGNED.pem, OTHER.key_pem, "key-differs", "key_pem"),
        (SIGNED.pem, key_pem(SIGNED.key, b"secret"), "key-encrypted", "key_pem"),
        (SIGNED.pem, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "key-unreadable", "key_pem"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            SIGNED.key_pem,
            "certificate-unreadable",
            "certificate_pem",
        ),
        (cert_pem(SIGNED.own, SIGNED.root), SIGNED.key_pem, "chain-order", "certificate_pem"),
        (cert_pem(SIGNED.own, OTHER.middle), SIGNED.key_pem, "chain-order", "certificate_pem"),
        (cert_pem(SIGNED.own, SIGNED.middle, OTHER.root), SIGNED.key_pem, "chain-order", "certificate_pem"),
        (cert_pem(SIGNED.middle, SIGNED.own), SIGNED.key_pem, "chain-order", "certificate_pem"),
        (cert_pem(SIGNED.own, OTHER.own), SIGNED.key_pem, "chain-order", "certificate_pem"),
        (cert_pem(*[SIGNED.own] * 11), SIGNED.key_pem, "chain-too-long", "certificate_pem"),
        (b"x" * (LARGEST + 1), b"", "certificate-too-large", "certificate_pem"),
    ],
)
def test_what_cannot_be_used_is_refused(pem: bytes, key: bytes, code: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_chain(pem, key, NOW)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("signed", "code"),
    [
        (Signed(ends=NOW), "certificate-expired"),
        (Signed(begins=NOW + 1), "certificate-early"),
        (Signed(names=()), "certificate-nameless"),
        (Signed(usage=ExtendedKeyUsageOID.CLIENT_AUTH), "certificate-usage"),
        (Signed(key=rsa_key(), signs=False), "certificate-usage"),
        (Signed(key=rsa_key(1024)), "key-size"),
        (Signed(key=ec.generate_private_key(ec.SECP256K1())), "key-type"),
        (Signed(key=ec.generate_private_key(ec.SECP521R1())), "key-type"),
        (Signed(key=ed25519.Ed25519PrivateKey.generate()), "key-type"),
    ],
)
def test_what_browsers_would_refuse_is_refused(signed: Signed, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_chain(signed.pem, signed.key_pem, NOW)
    assert refused.value.code == code


def test_an_encrypted_key_comes_with_the_way_out() -> None:
    with pytest.raises(Invalid) as refused:
        read_chain(SIGNED.pem, key_pem(SIGNED.key, b"secret"), NOW)
    assert "openssl pkey" in refused.value.hint


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (("boot.example.com",), "BOOT.example.com.", True),
        (("boot.example.com",), "example.com", False),
        (("*.example.com",), "boot.example.com", True),
        (("*.example.com",), "a.boot.example.com", False),
        (("*.example.com",), "example.com", False),
        (("*.",), "x", False),
        (("192.0.2.1",), "192.0.2.1", True),
        (("2001:db8::1",), "[2001:DB8:0::1]", True),
        (("localhost",), "", False),
        ((), "localhost", False),
    ],
)
def test_names(names: tuple[str, ...], host: str, expected: bool) -> None:
    assert covers(names, host) is expected


def test_what_should_be_agreed_to() -> None:
    chain = read_chain(SIGNED.pem, SIGNED.key_pem, NOW)
    assert warnings(chain, ["other.example.com", "boot.example.com"], NOW) == []
    (wrong,) = warnings(chain, ["other.example.com"], NOW)
    assert "other.example.com" in wrong
    assert warnings(chain, ["192.0.2.1"], NOW + 70 * DAY) == ["it ends in 20 days"]


@given(st.binary(max_size=2000), st.binary(max_size=2000))
def test_garbage_is_refused_in_words(pem: bytes, key: bytes) -> None:
    block = b"-----BEGIN CERTIFICATE-----\n" + pem + b"\n-----END CERTIFICATE-----\n"
    with pytest.raises(Invalid):
        read_chain(block, key, NOW)
