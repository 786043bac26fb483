"""Which certificate authority is trusted for an appliance: named by the user once, pinned afterwards."""

import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance import OWN_CERTIFICATE
from appliance.cli.errors import Refused, Unreachable
from appliance.errors import Invalid

Fetch = Callable[[], str]
"""Gets the appliance's own authority, PEM, without any trust yet."""


def fingerprint(pem: str) -> str:
    """SHA-256 of the certificate's DER form, as the appliance shows it."""
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.strip())).hexdigest()
    except ValueError as error:
        raise Unreachable("authority-unreadable", f"this is no certificate: {error}", "is it an appliance?") from error


def spaced(digest: str) -> str:
    """A fingerprint for people who compare it by eye."""
    return " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))


def named_by_fingerprint(wanted: str, fetch: Fetch) -> str:
    """The authority with this fingerprint; raises Refused when the appliance shows another one."""
    digest = "".join(each for each in wanted.lower() if each not in ": ")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise Invalid("fingerprint-invalid", f"{wanted[:80]!r} is no SHA-256 fingerprint", "it has 64 hex digits")
    pem = fetch()
    if fingerprint(pem) != digest:
        message = f"the appliance shows another authority: {spaced(fingerprint(pem))}"
        raise Refused("fingerprint-differs", message, "compare with the fingerprint in the appliance's log")
    return pem


def read_file(path: Path) -> str:
    """The authority in a PEM file; raises Invalid."""
    try:
        pem = path.read_text()
        fingerprint(pem[pem.index("-----BEGIN") :])
    except (OSError, ValueError, Unreachable) as error:
        raise Invalid("ca-unreadable", f"{path}: {error}", "name a PEM file with --ca") from error
    return pem


class _OwnCertificate(ssl.SSLContext):
    """Asks for the appliance's own certificate: a pinned authority vouches for no other that it may show besides."""

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """The connection, which asks by a name that no certificate is for."""
        return super().wrap_socket(*arguments, **{**options, "server_hostname": OWN_CERTIFICATE})


def context(pem: str, *, names_matter: bool) -> ssl.SSLContext:
    """A TLS context that trusts this authority and no other.

    ``names_matter`` is False for an authority that was pinned by its fingerprint: it is the appliance's own and
    signs for nobody else, so that the name or address by which somebody reaches it proves nothing more.
    """
    if names_matter:
        return ssl.create_default_context(cadata=pem)
    made = _OwnCertificate(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.load_verify_locations(cadata=pem)
    return made


def untrusting_context() -> ssl.SSLContext:
    """Believes anybody: only for fetching an authority whose fingerprint is compared before it is used."""
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made
