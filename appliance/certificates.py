"""Our own certificate authority and the server certificates it issues, made at the first start."""

import datetime
import hashlib
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.errors import ApplianceError
from appliance.state import keep_public, write_whole

CA_YEARS = 30
LEAF_DAYS = 825
"""The longest that browsers accept for a server certificate of a private authority."""
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER form, 64 hex digits."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def authority(directory: Path, now: float) -> Authority:
    """The authority kept in ``directory`` as ``authority.pem``, made where there is none.

    Its certificate stands in ``ca.pem`` and its fingerprint in ``ca-fingerprint`` for everybody to read. Key and
    certificate are one file, so that no crash leaves one without the other. Raises ApplianceError
    ``authority-unreadable`` rather than silently making another, which no machine or browser would trust, and
    ``state-unwritable``.
    """
    kept = _kept(directory, now)
    keep_public(directory / "ca.pem", kept.pem)
    keep_public(directory / "ca-fingerprint", f"{kept.fingerprint}\n".encode())
    return kept


def _kept(directory: Path, now: float) -> Authority:
    path = directory / "authority.pem"
    try:
        if not path.exists():
            if (directory / "ca.pem").exists():
                raise ValueError("it is gone, and ca.pem says that there was one")
            made = _make_authority(_moment(now))
            write_whole(path, _key_pem(made.key) + made.pem)
        return _parsed(path.read_bytes())
    except OSError as error:
        hint = "give it to the user that runs the daemon, and look at the disk"
        raise ApplianceError("authority-unreadable", f"{path}: {error.strerror}", hint) from error
    except (ValueError, TypeError) as error:  # TypeError: the key is encrypted
        hint = "restore it from a backup; machines trust this authority and no other"
        raise ApplianceError("authority-unreadable", f"{path}: {error}", hint) from error


def _parsed(content: bytes) -> Authority:
    certificate = x509.load_pem_x509_certificate(content)
    key = serialization.load_pem_private_key(content, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("the key is not the certificate's")
    return Authority(certificate, key)


def server_context(issuer: Authority, path: Path, names: Sequence[str], now: float) -> ssl.SSLContext:
    """A TLS server context with a fresh certificate for ``names`` (host names and addresses).

    The certificate and its key are written to ``path``, since OpenSSL reads them from a file only.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign_leaf(issuer, key, names, _moment(now))
    chain = certificate.public_bytes(serialization.Encoding.PEM) + issuer.pem
    write_whole(path, _key_pem(key) + chain)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return context


def _moment(now: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now, datetime.UTC)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


def _make_authority(now: datetime.datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    # The suffix tells the authorities of two appliances apart in a browser's list.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Appliance authority {os.urandom(3).hex()}")])
    builder = _builder(name, name, key.public_key(), now - DAY, now + DAY * 365 * CA_YEARS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(sign=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def _sign_leaf(
    issuer: Authority, key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime.datetime
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    builder = _builder(subject, issuer.certificate.subject, key.public_key(), now - DAY, now + DAY * LEAF_DAYS)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(sign=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
