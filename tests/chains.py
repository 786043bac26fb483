"""Certificates for tests: a root, an authority below it, and what they sign."""

import datetime
import ipaddress
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.chains import Key

NOW = 1_795_200_000.0
DAY = 86400.0


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def key_pem(key: Any, password: bytes = b"") -> bytes:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def cert_pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def certificate(
    name: str,
    key: Any,
    issuer: "tuple[x509.Certificate, Any] | None" = None,
    *,
    names: Sequence[str] = (),
    authority: bool = False,
    begins: float = NOW - DAY,
    ends: float = NOW + 90 * DAY,
    usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
    signs: bool | None = None,
) -> x509.Certificate:
    """A certificate, signed by ``issuer`` or by itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer[0].subject if issuer else subject
    begin, end = (datetime.datetime.fromtimestamp(each, datetime.UTC) for each in (begins, ends))
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(signer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), critical=False)
    if usage is not None and not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if signs is not None:
        builder = builder.add_extension(_key_usage(signs=signs), critical=True)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    """What old authorities put into certificates of RSA keys; it was enough before TLS 1.3."""
    others = dict.fromkeys(("content_commitment", "data_encipherment", "key_agreement", "key_cert_sign"), False)
    last = dict.fromkeys(("crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=signs, key_encipherment=True, **others, **last)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Signed:
    """A root, an authority below it, and a server's certificate with its key."""

    def __init__(self, names: Sequence[str] = ("boot.example.com", "192.0.2.1"), key: Key | None = None, **how: Any):
        root_key, middle_key = new_key(), new_key()
        self.root = certificate("root", root_key, authority=True, ends=NOW + 900 * DAY)
        self.middle = certificate("middle", middle_key, (self.root, root_key), authority=True, ends=NOW + 800 * DAY)
        self.key = key or new_key()
        self.own = certificate("server", self.key, (self.middle, middle_key), names=names, **how)

    @property
    def pem(self) -> bytes:
        return cert_pem(self.own, self.middle)

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)
