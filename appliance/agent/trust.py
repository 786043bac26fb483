"""Whom to believe: the certificate authority whose fingerprint the boot script carried, and nobody else."""

import hashlib
import json
import math
import ssl
from collections.abc import Callable

from .commandline import Boot
from .errors import TRUST, AgentError
from .plainhttp import Unreachable, get_good


class WrongAuthority(AgentError):
    """Whoever answers as the appliance has another certificate authority than the boot script said."""

    waits = TRUST


def establish(boot: Boot, set_clock: Callable[[float], None]) -> tuple[ssl.SSLContext, str]:
    """Fetch and check the authority, then set the clock; only after both is TLS possible.

    A dead CMOS battery puts machines into 1980 or 2099, where no certificate is valid.
    Returns the context for all control connections and the authority's PEM text.
    Raises Unreachable or WrongAuthority.
    """
    pem = fetch_authority(boot)
    set_clock(fetch_time(boot))
    return context(pem), pem


def fetch_authority(boot: Boot) -> str:
    """The PEM text of the appliance's certificate authority, its fingerprint checked."""
    url = f"{boot.server}/ca.pem"
    pem = get_good(url).decode("ascii", "replace")
    found = fingerprint(pem)
    if found != boot.ca:
        raise WrongAuthority(
            f"{url} has the fingerprint {found or 'of no certificate'}, the boot script said {boot.ca}",
            "restart this machine; if it happens again, another computer answers in the appliance's name",
        )
    return pem


def fingerprint(pem: str) -> str | None:
    """SHA-256 of the DER form of the certificate in `pem`, in lower-case hex; None when there is none."""
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.strip())).hexdigest()
    except ValueError:
        return None


def fetch_time(boot: Boot) -> float:
    """The appliance's clock in seconds of unix time."""
    url = f"{boot.server}/time"
    try:
        now = float(json.loads(get_good(url))["now"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unreachable(f"{url}: the answer is not a time") from error
    if not math.isfinite(now) or now < 0:
        raise Unreachable(f"{url}: {now} is not a time")
    return now


def context(pem: str) -> ssl.SSLContext:
    """A context that trusts `pem` only; names and addresses of certificates are checked (RFC 9525)."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.minimum_version = ssl.TLSVersion.TLSv1_2
    trusting.load_verify_locations(cadata=pem)
    return trusting
