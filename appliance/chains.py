"""A certificate that somebody brings for the console: read and checked before it is used. Pure."""

import datetime
import hashlib
import ipaddress
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from appliance.errors import Invalid

LARGEST = 64 * 1024
"""Bytes of chain and key together."""
LONGEST_CHAIN = 10
LEAST_RSA, MOST_RSA = 2048, 8192
"""Bits. Browsers refuse less; more costs every connection dearly."""
CURVES = {"secp256r1": "P-256", "secp384r1": "P-384"}
"""Chromium takes no P-521 at all: whoever has nothing else would be locked out."""
WARN_SECONDS = 30 * 86400.0
"""How long before its end a certificate is warned of."""

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate with those that vouch for it, and its key; all checked."""

    certificates: tuple[x509.Certificate, ...]
    """The server's own first."""
    key: Key

    @property
    def own(self) -> x509.Certificate:
        """The server's certificate."""
        return self.certificates[0]

    @property
    def pem(self) -> bytes:
        """Key and chain, as TLS libraries read them."""
        none = serialization.NoEncryption()
        key = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)
        return key + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in self.certificates)

    @property
    def names(self) -> tuple[str, ...]:
        """The names and addresses that it is for."""
        return names_of(self.own)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the server's certificate, 64 hex digits."""
        return hashlib.sha256(self.own.public_bytes(serialization.Encoding.DER)).hexdigest()

    @property
    def begins(self) -> float:
        """Unix time from which on all of it is good."""
        return max(each.not_valid_before_utc.timestamp() for each in self.certificates)

    @property
    def ends(self) -> float:
        """Unix time at which the first of it ends."""
        return min(each.not_valid_after_utc.timestamp() for each in self.certificates)

    @property
    def key_words(self) -> str:
        """What kind of key it has."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return f"RSA, {self.key.key_size} bits"
        return f"EC, {CURVES[self.key.curve.name]}"

    @property
    def issuer(self) -> str:
        """Who signed it."""
        return self.own.issuer.rfc4514_string()[:200]


def read_chain(certificate_pem: bytes, key_pem: bytes, now: float) -> Chain:
    """The chain, if it can be used at ``now``; raises Invalid with what is wrong and the field it is in."""
    if len(certificate_pem) + len(key_pem) > LARGEST:
        raise Invalid(
            "certificate-too-large", "this is too large for a certificate", "send PEM files", "certificate_pem"
        )
    certificates = _certificates(certificate_pem)
    chain = Chain(_checked_order(certificates), _key(key_pem or certificate_pem, certificates))
    _check_own(chain.own)
    _check_time(chain, now)
    return chain


def covers(names: Iterable[str], host: str) -> bool:
    """Whether a certificate for ``names`` is good for this host (RFC 6125 section 6.4.3: a wildcard is one label)."""
    wanted = _bare(host)
    _, _, parent = wanted.partition(".")
    return any(_bare(name) == wanted or (name.startswith("*.") and _bare(name[2:]) == parent != "") for name in names)


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The subject's alternative names that servers have."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(each) for each in found.get_values_for_type(x509.IPAddress)]
    return (*found.get_values_for_type(x509.DNSName), *addresses)


def warnings(chain: Chain, reached_by: Sequence[str], now: float) -> list[str]:
    """What a user should agree to before the chain is used; ``reached_by`` are names and addresses of the console."""
    found = []
    if not any(covers(chain.names, name) for name in reached_by):
        known = ", ".join(reached_by[:6])
        found.append(
            f"it is for {', '.join(chain.names[:6])}, and none of these is a name that the console is reached by"
            f" ({known}): browsers will warn"
        )
    if chain.ends - now < WARN_SECONDS:
        found.append(f"it ends in {max(int((chain.ends - now) // 86400), 0)} days")
    return found


def _bare(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return host.lower().rstrip(".")


def _certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    blocks = _CERTIFICATE.findall(pem)
    if not blocks:
        hint = "send PEM: it begins with -----BEGIN CERTIFICATE-----"
        raise Invalid("certificate-missing", "there is no certificate in this", hint, "certificate_pem")
    if len(blocks) > LONGEST_CHAIN:
        hint = "send the server's certificate and those between it and its authority"
        raise Invalid("chain-too-long", f"there are {len(blocks)} certificates in this", hint, "certificate_pem")
    return tuple(_certificate(block, number) for number, block in enumerate(blocks, 1))


def _certificate(block: bytes, number: int) -> x509.Certificate:
    try:
        found = x509.load_pem_x509_certificate(block)
        _ = (found.extensions, found.subject, found.not_valid_after_utc)  # parsed when they are asked for
    except (ValueError, x509.DuplicateExtension) as error:
        message = f"certificate {number} cannot be read: {str(error)[:200]}"
        raise Invalid("certificate-unreadable", message, "copy the whole file", "certificate_pem") from error
    return found


def _key(pem: bytes, certificates: Sequence[x509.Certificate]) -> Key:
    block = _KEY.search(pem)
    if block is None:
        hint = "send PEM: it begins with -----BEGIN PRIVATE KEY-----"
        raise Invalid("key-missing", "there is no private key in this", hint, "key_pem")
    key = _sound(_loaded(block[0]))
    public = _public(key.public_key())
    if public != _public(certificates[0].public_key()):
        if any(public == _public(each.public_key()) for each in certificates):
            hint = "put the server's certificate first, then the one that signed it, and so on"
            raise Invalid("chain-order", "the key belongs to a later certificate", hint, "certificate_pem")
        hint = "send the key that the certificate was requested with"
        raise Invalid("key-differs", "the key is not the certificate's", hint, "key_pem")
    return key


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _loaded(block: bytes) -> object:
    hint = "decrypt it first: openssl pkey -in key.pem -out plain.pem"
    if b"ENCRYPTED" in block:
        raise Invalid("key-encrypted", "the key is encrypted", hint, "key_pem")
    try:
        return serialization.load_pem_private_key(block, None)
    except TypeError:
        raise Invalid("key-encrypted", "the key is encrypted", hint, "key_pem") from None
    except Exception as error:
        message = f"the key cannot be read: {str(error)[:200]}"
        raise Invalid("key-unreadable", message, "copy the whole file", "key_pem") from error


def _sound(key: object) -> Key:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return key
    if isinstance(key, rsa.RSAPrivateKey):
        if LEAST_RSA <= key.key_size <= MOST_RSA:
            return key
        message = f"the RSA key has {key.key_size} bits"
        raise Invalid("key-size", message, f"use {LEAST_RSA} to {MOST_RSA}, or an EC key", "key_pem")
    hint = f"use an EC key ({', '.join(CURVES.values())}) or RSA with {LEAST_RSA} bits or more"
    raise Invalid("key-type", "browsers do not take a key of this kind", hint, "key_pem")


def _checked_order(certificates: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """Each is signed by the next; a root at the end may be there or not."""
    hint = "put the server's certificate first, then the one that signed it, and so on; leave out what is not of it"
    for number, (below, above) in enumerate(itertools.pairwise(certificates), 1):
        if not _may_sign(above):
            message = f"certificate {number + 1} is no authority's and cannot have signed certificate {number}"
            raise Invalid("chain-order", message, hint, "certificate_pem")
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature) as error:
            message = f"certificate {number} was not signed by certificate {number + 1}"
            raise Invalid("chain-order", message, hint, "certificate_pem") from error
    return certificates


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _check_own(own: x509.Certificate) -> None:
    algorithm = own.signature_hash_algorithm
    if algorithm is not None and algorithm.name in ("md5", "sha1"):
        message = f"it is signed with {algorithm.name.upper()}, which browsers refuse"
        raise Invalid("certificate-weak", message, "have it signed anew with SHA-256", "certificate_pem")
    if not names_of(own):
        message = "it names no host: it has no subject alternative name"
        raise Invalid("certificate-nameless", message, "have one made for the console's name", "certificate_pem")
    for found in own.extensions:
        if wrong := _wrong_usage(found.value):
            raise Invalid("certificate-usage", wrong, "have one made for a web server", "certificate_pem")


def _wrong_usage(extension: x509.ExtensionType) -> str:
    """Why browsers refuse a server with this, without a way around it; empty: they do not."""
    if isinstance(extension, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.SERVER_AUTH not in extension:
        return "it is not for servers: its extended key usage says so"
    if isinstance(extension, x509.KeyUsage) and not extension.digital_signature:
        return "its key may not sign connections: its key usage lacks digitalSignature"  # RFC 8446 section 4.4.2.2
    return ""


def _check_time(chain: Chain, now: float) -> None:
    for number, each in enumerate(chain.certificates, 1):
        begin, end = each.not_valid_before_utc, each.not_valid_after_utc
        if now >= end.timestamp():
            message = f"certificate {number} ended on {end:%Y-%m-%d}"
            raise Invalid("certificate-expired", message, "have it renewed first", "certificate_pem")
        if now < begin.timestamp():
            message = f"certificate {number} is good from {begin:%Y-%m-%d %H:%M} UTC on only"
            raise Invalid("certificate-early", message, "wait, or set the appliance's clock", "certificate_pem")


def day(at: float) -> str:
    """A Unix time as the day it is on, UTC."""
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%d}"
