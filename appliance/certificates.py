"""Our own certificate authority, made at the first start."""

import datetime
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.errors import ApplianceError
from appliance.state import keep_public, write_whole

CA_YEARS = 30
DAY = datetime.timedelta(days=1)
WRITTEN = 1_795_046_400.0
"""Unix time, 2026-11-19: no clock that is right shows less, since this was written then."""


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
            made = _make_authority(moment(now))
            write_whole(path, key_pem(made.key) + made.pem)
        return parse_authority(path.read_bytes())
    except OSError as error:
        hint = "give it to the user that runs the daemon, and look at the disk"
        raise ApplianceError("authority-unreadable", f"{path}: {error.strerror}", hint) from error
    except (ValueError, TypeError) as error:  # TypeError: the key is encrypted
        hint = "restore it from a backup; machines trust this authority and no other"
        raise ApplianceError("authority-unreadable", f"{path}: {error}", hint) from error


def parse_authority(content: bytes) -> Authority:
    """The authority in the content of ``authority.pem``; raises ValueError or TypeError where it is none."""
    certificate = x509.load_pem_x509_certificate(content)
    key = serialization.load_pem_private_key(content, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("the key is not the certificate's")
    return Authority(certificate, key)


def moment(now: float) -> datetime.datetime:
    """Unix time as certificates have it."""
    return datetime.datetime.fromtimestamp(now, datetime.UTC)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key, unencrypted, PEM."""
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


def _make_authority(now: datetime.datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    # The suffix tells the authorities of two appliances apart in a browser's list.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Appliance authority {os.urandom(3).hex()}")])
    # A computer without a battery begins in 1970: the authority must not end thirty years after that.
    end = max(now, moment(WRITTEN)) + DAY * 365 * CA_YEARS
    made = builder(name, name, key.public_key(), now - DAY, end)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(usage(sign=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = made.add_extension(identifier, critical=False)
    return Authority(made.sign(key, hashes.SHA256()), key)


def builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    """What all our certificates have."""
    begun = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return begun.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def usage(*, sign: bool) -> x509.KeyUsage:
    """Of an authority's key, or else of a server's."""
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
