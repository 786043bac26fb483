"""The certificates that our own authority gives to our servers, and their use.

One that is kept in a file is the same after a restart: a browser that was told to trust it does so on. Others are in
memory only.
"""

import asyncio
import ipaddress
import logging
import os
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.certificates import DAY, Authority, builder, key_pem, moment, usage
from appliance.errors import ApplianceError
from appliance.state import write_whole

LEAF_DAYS = 825
"""The longest that browsers accept for a server certificate of a private authority."""
RENEWAL_SECONDS = 60.0
"""Between two looks at the server certificates' age."""
KEPT = "console-own"
"""In the state directory: the console's certificate with its key. It is no ``*.pem``: no backup takes it along."""

_Names = x509.SubjectAlternativeName
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A server's certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """Key and certificate, without the authority's."""
        return key_pem(self.key) + self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def names(self) -> set[str]:
        """Host names and addresses that it is for."""
        return {str(each.value) for each in self.certificate.extensions.get_extension_for_class(_Names).value}

    @property
    def made(self) -> float:
        """Unix time at which it was issued."""
        return self.certificate.not_valid_before_utc.timestamp() + DAY.total_seconds()

    def is_fresh(self, now: float) -> bool:
        """Whether less than half of it is used up, and it is of a time that ``now`` may be in."""
        return self.made - DAY.total_seconds() <= now < self.made + (DAY * LEAF_DAYS / 2).total_seconds()


def issue(issuer: Authority, names: Sequence[str], now: float) -> Leaf:
    """A new one for these host names and addresses; what cannot stand in a certificate is left out."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    begin = moment(now)
    made = builder(subject, issuer.certificate.subject, key.public_key(), begin - DAY, begin + DAY * LEAF_DAYS)
    made = made.add_extension(_Names(_general_names(names)), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(usage(sign=False), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    made = made.add_extension(identifier, critical=False)
    return Leaf(made.sign(issuer.key, hashes.SHA256()), key)


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


def read(path: Path, issuer: Authority) -> Leaf | None:
    """The one in a file; None where there is none that this authority gave."""
    try:
        content = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(content)
        key = serialization.load_pem_private_key(content, None)
        certificate.verify_directly_issued_by(issuer.certificate)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, InvalidSignature) as error:
        log.info("the console gets another certificate, since %s cannot be used: %s", path, error or "not ours")
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return Leaf(certificate, key)


def keep(path: Path, leaf: Leaf) -> None:
    """Write it; where that fails the next start has another one, and nothing else is lost."""
    try:
        write_whole(path, leaf.pem)
    except ApplianceError as error:
        log.warning("the console's certificate is not kept over a restart: %s", error.message)


class ServerTls:
    """A TLS server's context with a certificate for its names, which ``renew`` replaces in time."""

    def __init__(self, issuer: Authority, names: Sequence[str], now: float, kept: Path | None = None) -> None:
        """``names`` are host names and addresses. One in the file ``kept`` is used where it is for all of them: more
        are learnt after a start, and it is not to be lost until then.
        """
        self._issuer, self._kept = issuer, kept
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        found = read(kept, issuer) if kept else None
        self._names: Sequence[str] = names
        if found is None or not found.is_fresh(now) or not _held(names) <= found.names:
            found = self._issued(now)
        self._use(found)

    def renew(self, now: float) -> bool:
        """Issue another certificate where the present one is half used up, or is of a time that ``now`` is not in.

        Connections that are open keep theirs. Whether there is another.
        """
        if self._leaf.is_fresh(now):
            return False
        self._use(self._issued(now))
        return True

    def rename(self, names: Sequence[str], now: float) -> None:
        """Have it for these names and no others; connections that are open keep theirs."""
        self._names = names
        if _held(names) != self._leaf.names:
            self._use(self._issued(now))

    def _issued(self, now: float) -> Leaf:
        leaf = issue(self._issuer, self._names, now)
        if self._kept is not None:
            keep(self._kept, leaf)
        return leaf

    def _use(self, leaf: Leaf) -> None:
        self._leaf = leaf
        # OpenSSL reads them from a file only; this one is in memory, so that no disk is needed.
        with open(os.memfd_create("certificate"), "wb") as file:
            file.write(leaf.pem + self._issuer.pem)
            file.flush()
            self.context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


def _held(names: Sequence[str]) -> set[str]:
    return {str(each.value) for each in _general_names(names)}


async def keep_renewed(servers: Sequence[ServerTls], clock: Callable[[], float]) -> None:
    """Renew in time, for as long as the daemon runs; also soon after the clock was set to something else."""
    while True:
        await asyncio.sleep(RENEWAL_SECONDS)
        for server in servers:
            if server.renew(clock()):
                log.info("a new server certificate was issued")
