"""Our own certificate authority and the server certificates it issues, made at the first start."""

import asyncio
import datetime
import hashlib
import ipaddress
import logging
import os
import re
import ssl
from collections.abc import Callable, Sequence
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
RENEWAL_SECONDS = 60.0
"""Between two looks at the server certificates' age."""
WRITTEN = 1_795_046_400.0
"""Unix time, 2026-11-19: no clock that is right shows less, since this was written then."""

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")

log = logging.getLogger(__name__)


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


class ServerTls:
    """A TLS server's context with a certificate for its names, which ``renew`` replaces in time."""

    def __init__(self, issuer: Authority, names: Sequence[str], now: float) -> None:
        """``names`` are host names and addresses; what cannot stand in a certificate is left out."""
        self._issuer, self._names = issuer, names
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._made = now
        self._issue()

    def renew(self, now: float) -> bool:
        """Issue another certificate where the present one is half used up, or is of a time that ``now`` is not in.

        Connections that are open keep theirs. Whether there is another.
        """
        if self._made - DAY.total_seconds() <= now < self._made + (DAY * LEAF_DAYS / 2).total_seconds():
            return False
        self._made = now
        self._issue()
        return True

    def _issue(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign_leaf(self._issuer, key, self._names, _moment(self._made))
        chain = certificate.public_bytes(serialization.Encoding.PEM) + self._issuer.pem
        # OpenSSL reads them from a file only; this one is in memory, so that no disk is needed and none keeps the key.
        with open(os.memfd_create("certificate"), "wb") as file:
            file.write(_key_pem(key) + chain)
            file.flush()
            self.context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


async def keep_renewed(servers: Sequence[ServerTls], clock: Callable[[], float]) -> None:
    """Renew in time, for as long as the daemon runs; also soon after the clock was set to something else."""
    while True:
        await asyncio.sleep(RENEWAL_SECONDS)
        for server in servers:
            if server.renew(clock()):
                log.info("a new server certificate was issued")


def _moment(now: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now, datetime.UTC)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


def _make_authority(now: datetime.datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    # The suffix tells the authorities of two appliances apart in a browser's list.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Appliance authority {os.urandom(3).hex()}")])
    # A computer without a battery begins in 1970: the authority must not end thirty years after that.
    end = max(now, _moment(WRITTEN)) + DAY * 365 * CA_YEARS
    builder = _builder(name, name, key.public_key(), now - DAY, end)
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
    builder = builder.add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
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


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    """As much of ``names`` as a certificate can hold: a computer may be called what DNS would not take."""
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            if _HOST_NAME.fullmatch(name):
                found.append(x509.DNSName(name))
    return found
