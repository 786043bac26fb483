"""The certificate and the password of the lab's management controller; they stay as long as the lab's directory."""

import datetime
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.state import write_whole

_BEGIN = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_END = datetime.datetime(2060, 1, 1, tzinfo=datetime.UTC)
"""No clock of the lab is wrong enough for it to be over."""


@dataclass(frozen=True, slots=True)
class ControllerKey:
    """What the controller shows, and asks for."""

    file: Path
    """Key and certificate, PEM."""
    password: str
    fingerprint: str
    """SHA-256 of the certificate, as the settings of a power switch take it."""


def controller_key(file: Path, password: Path) -> ControllerKey:
    """Read what is in these files; made where they are not there."""
    if not file.exists():
        write_whole(file, _self_signed())
    if not password.exists():
        write_whole(password, (secrets.token_urlsafe(12) + "\n").encode())
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    return ControllerKey(file, password.read_text().strip(), digest)


def _self_signed() -> bytes:
    """As controllers have it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "controller of a lab")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return plain + made.public_bytes(serialization.Encoding.PEM)
